// Package process starts the product's binaries, waits until they are ready,
// and reads what they use.
package process
