/** The anchor, in the colour of the text around it. */
export function Logo() {
  return (
    <svg
      className="logo"
      viewBox="0 0 24 24"
      aria-hidden="true"
      fill="none"
      stroke="currentColor"
      strokeWidth="2"
      strokeLinecap="round"
      strokeLinejoin="round"
    >
      <circle cx="12" cy="5" r="2.2" />
      <path d="M12 7.2V21M8 11h8M4 14.500c.6 4 4 6.500 8 6.500s7.400-2.500 8-6.500" />
    </svg>
  );
}
