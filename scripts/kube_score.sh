#!/bin/sh
# Prints the path of kube-score, which judges manifests, installing it when it is not there.
exec sh "$(dirname "$0")/go_tool.sh" kube-score github.com/zegl/kube-score/cmd/kube-score v1.20.0
