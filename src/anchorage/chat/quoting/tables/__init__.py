"""Tables: read from rows or from the lines of a form, and computed over: the most, the least, sums, averages, counts and differences."""
