module recant.dev/testbed/argocd

go 1.26.1

require github.com/argoproj/argo-cd/v2 v2.14.20
