// Package kubernetes holds the tests of deploy/kubernetes: what kustomize makes
// of each overlay is decoded strictly into the types of Kubernetes and of the
// extensions, and held to rules that no schema knows. Nothing here needs a
// cluster or the network.
package kubernetes
