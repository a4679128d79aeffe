//go:build linux

package localdisk

import "syscall"

// freeBytes is the room that is left on the disk of a directory.
func freeBytes(dir string) (int64, bool) {
	var stat syscall.Statfs_t
	if err := syscall.Statfs(dir, &stat); err != nil {
		return 0, false
	}
	return int64(stat.Bavail) * stat.Bsize, true
}
