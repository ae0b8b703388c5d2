#!/bin/sh
# Prints the path of the Helm that the tests and the generated manifests are made with, installing it when it is not there.
exec sh "$(dirname "$0")/go_tool.sh" helm helm.sh/helm/v3/cmd/helm v3.22.0
