// Package version tells which build this is.
package version

import (
	"fmt"
	"runtime"
	"runtime/debug"
)

// Version and Commit are set at link time:
//
//	-ldflags "-X github.com/etrainer/backend/pkg/version.Version=v1.2.3
//	          -X github.com/etrainer/backend/pkg/version.Commit=abc1234"
//
// A plain go build leaves Version at "dev" and takes Commit from the build's
// version control stamp, if it has one.
var (
	Version = "dev"
	Commit  = ""
)

func init() {
	if Commit == "" { // not an initial value: the linker leaves those alone
		Commit = stamped()
	}
}

// String returns the version, the commit and the platform on one line, such
// as "v1.2.3 (abc1234, go1.26.8 linux/amd64)".
func String() string {
	commit := Commit
	if commit == "" {
		commit = "no commit"
	}
	return fmt.Sprintf("%s (%s, %s %s/%s)", Version, commit, runtime.Version(), runtime.GOOS, runtime.GOARCH)
}

// stamped returns the short commit that the go command recorded, or "".
func stamped() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	for _, setting := range info.Settings {
		if setting.Key == "vcs.revision" {
			return setting.Value[:min(len(setting.Value), 12)]
		}
	}
	return ""
}
