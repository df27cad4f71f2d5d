module recant.dev/testbed/gateway

go 1.26.1

require sigs.k8s.io/gateway-api v1.4.1
