module recant.dev/testbed/istio

go 1.26.1

require istio.io/api v1.31.1
