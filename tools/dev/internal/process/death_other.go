//go:build !linux

package process

import "syscall"

// dieWithParent does nothing: only Linux ties a child to its parent. Elsewhere
// a kill -9 of "dev up" leaves the programs running.
func dieWithParent(*syscall.SysProcAttr) {}
