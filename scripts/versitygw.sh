#!/bin/sh
# Prints the path of versitygw, the S3 server that the tests run against, installing it when it is not there.
exec sh "$(dirname "$0")/go_tool.sh" versitygw github.com/versity/versitygw/cmd/versitygw v1.8.0
