package config

import (
	"errors"
	"fmt"
	"net"
	"syscall"
)

// Listening words the failure to listen on the address that a variable sets: its
// usual causes, with the mend. It is not ErrConfig, since a port becomes free
// when the process that has it ends.
func Listening(variable, address string, err error) error {
	_, port, badAddress := net.SplitHostPort(address)
	fault, mend := "", ""
	switch {
	case err == nil:
		return nil
	case badAddress != nil || variable == "":
	case errors.Is(err, syscall.EADDRINUSE):
		fault, mend = "where another process listens", "end that process, or set "+variable+" to another port"
	case errors.Is(err, syscall.EACCES):
		fault, mend = "which this user may not open", "set "+variable+" to a port from 1024 on, and let nginx have the others"
	}
	if fault == "" {
		return fmt.Errorf("listen on %s: %w", address, err)
	}
	return &portError{fmt.Sprintf("%s is %q, %s: %s", variable, port, fault, mend), err}
}

// portError is one sentence, and its cause.
type portError struct {
	text  string
	cause error
}

func (e *portError) Error() string { return e.text }
func (e *portError) Unwrap() error { return e.cause }
