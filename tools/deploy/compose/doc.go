// Package compose holds the tests of compose.yaml and compose.dev.yaml: they are
// loaded by the library of Docker Compose itself and held to rules that it does
// not know, and what runs in their containers runs here without them. Nothing
// needs Docker.
package compose
