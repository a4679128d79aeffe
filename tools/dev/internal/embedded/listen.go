package embedded

import (
	"fmt"
	"net"
)

// listen opens a TCP port of the loopback interface: the wanted one (1 to
// 65535) if it is free, any other if not or if wanted is 0.
func listen(wanted int) (net.Listener, error) {
	if wanted != 0 {
		if l, err := net.Listen("tcp", address(wanted)); err == nil {
			return l, nil
		}
	}

	l, err := net.Listen("tcp", address(0))
	if err != nil {
		return nil, fmt.Errorf("open a port of the loopback interface: %w", err)
	}

	return l, nil
}

func address(port int) string { return fmt.Sprintf("127.0.0.1:%d", port) }

func portOf(a net.Addr) int { return a.(*net.TCPAddr).Port }
