package supervise

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// Self is the path of this program as it was called, so that a roll starts
// what is there by then, also behind a symbolic link that has moved on.
func Self() (string, error) {
	found, err := exec.LookPath(os.Args[0])
	if err != nil {
		return "", fmt.Errorf("find this program: %w", err)
	}
	path, err := filepath.Abs(found)
	if err != nil {
		return "", fmt.Errorf("find this program: %w", err)
	}
	return path, nil
}
