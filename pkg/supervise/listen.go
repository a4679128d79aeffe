package supervise

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"
)

// Listen opens a TCP port for the children to accept from. This process never
// accepts, and its poller does not watch the socket, so connections cost it
// nothing. Give it to Options.Listener.
//
// The file is made of a blocking descriptor, which is then made non-blocking
// behind its back: os/exec would otherwise make the socket blocking, for every
// child at once, each time that it starts one, and a child that blocks in
// accept does not notice that it should stop.
func Listen(ctx context.Context, address string) (*os.File, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", address, err)
	}
	defer func() { _ = listener.Close() }() // the duplicate keeps the socket open
	raw, err := listener.(*net.TCPListener).SyscallConn()
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", address, err)
	}
	var file *os.File
	var failed error
	err = raw.Control(func(fd uintptr) { file, failed = inheritable(int(fd), listener.Addr().String()) })
	if err := errors.Join(err, failed); err != nil {
		return nil, fmt.Errorf("duplicate the listener of %s: %w", address, err)
	}
	return file, nil
}

// inheritable duplicates a socket. name becomes the file's name.
func inheritable(fd int, name string) (*os.File, error) {
	syscall.ForkLock.RLock() // no child may start before the duplicate is its own business
	duplicate, err := syscall.Dup(fd)
	if err == nil {
		syscall.CloseOnExec(duplicate)
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return nil, os.NewSyscallError("dup", err)
	}
	if err := syscall.SetNonblock(duplicate, false); err != nil {
		return nil, errors.Join(os.NewSyscallError("fcntl", err), syscall.Close(duplicate))
	}
	file := os.NewFile(uintptr(duplicate), name)
	if err := syscall.SetNonblock(duplicate, true); err != nil {
		return nil, errors.Join(os.NewSyscallError("fcntl", err), file.Close())
	}
	return file, nil
}
