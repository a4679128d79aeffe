// Package server is the listener of the api: which route goes where, how paths
// are matched, and how the process starts and stops answering.
package server
