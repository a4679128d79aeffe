// Package port finds ports that stay free while nobody listens on them.
package port

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
)

// Ports below the range that the kernel gives to outgoing connections: nobody
// takes one of them while its owner is dead or refuses connections.
const (
	first = 20000
	count = 12000
)

// Listen listens on such a port of this machine.
func Listen() (net.Listener, error) {
	var last error
	for range 100 {
		listener, err := ListenOn("127.0.0.1:" + strconv.Itoa(first+rand.IntN(count)))
		if err == nil {
			return listener, nil
		}
		last = err
	}
	return nil, fmt.Errorf("find a free port: %w", last)
}

// ListenOn listens on an address that Listen has found before.
func ListenOn(address string) (net.Listener, error) {
	var config net.ListenConfig
	return config.Listen(context.Background(), "tcp", address) // it ends with Close
}

// Free returns such a port, for a program that listens by itself.
func Free() (string, error) {
	listener, err := Listen()
	if err != nil {
		return "", err
	}
	defer listener.Close()
	_, port, err := net.SplitHostPort(listener.Addr().String())
	return port, err
}
