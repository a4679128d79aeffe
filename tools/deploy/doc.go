// Package deploy holds the tests of the files that put the product into
// containers. It is a module of its own, outside go.work, so that the versions
// of its tools never reach a program.
package deploy
