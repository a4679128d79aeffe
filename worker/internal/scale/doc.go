// Package scale measures the business jobs on a million users and ten million
// results, which are made on the way: a server that speaks MongoDB's protocol
// hands out what a database of that size would, and takes what is written. (The
// embedded engine would need hours to store them, and measure itself.) Each job
// runs in a process of its own, by the product's runner, handlers, stores and
// senders; push messages go to stand-ins for Firebase and Expo.
//
// It holds benchmarks alone; tools/bench/run jobs runs them.
package scale
