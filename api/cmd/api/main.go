// Command api serves the HTTP interface of ETrainer.
//
//	api           serve until SIGINT or SIGTERM
//	api admin create EMAIL [--password-stdin]
//	              make an account that is an administrator's
//	api admin grant EMAIL
//	              make an account that is there an administrator's
//	api sessions end EMAIL
//	              end all sessions of an account
//	api ping      ask the api on this machine whether it is alive, for health checks of containers
//	api settings  print every variable it reads: meaning, unit, default and example
//	api version   print the version
//
// It is configured by environment variables; see package config. The exit codes
// are those of package lifecycle.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"strings"
	_ "time/tzdata" // images without a time zone database

	"github.com/etrainer/backend/api/internal/config"
	settings "github.com/etrainer/backend/pkg/config"
	"github.com/etrainer/backend/pkg/lifecycle"
	"github.com/etrainer/backend/pkg/version"
)

// gcPercent replaces the 100 of the runtime, unless GOGC is set. The api holds so
// little that its garbage is collected dozens of times a second under load: a
// quarter more requests for about eight megabytes. GOMEMLIMIT bounds it all the same.
const gcPercent = 300

func main() {
	if os.Getenv("GOGC") == "" { //nolint:forbidigo // a variable of the runtime, which has read it already
		debug.SetGCPercent(gcPercent)
	}
	os.Exit(run(context.Background(), os.Args[1:], os.Stdout, os.Stderr))
}

// run picks the subcommand and returns the exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	command := "serve"
	if len(args) > 0 {
		command = args[0]
	}
	if command == "admin" || command == "sessions" {
		return accounts(ctx, args, os.Stdin, stdout, stderr)
	}
	if len(args) > 1 {
		fmt.Fprintf(stderr, "api: %s takes no arguments; settings are environment variables\n", command)
		return lifecycle.ExitBadConfig
	}
	switch command {
	case "serve":
		return serve(ctx, stderr)
	case "ping":
		return ping(ctx, stderr)
	case "settings":
		fmt.Fprint(stdout, strings.Join(settings.Template(&config.Config{}), "\n"))
		return lifecycle.ExitOK
	case "version":
		fmt.Fprintln(stdout, version.String())
		return lifecycle.ExitOK
	default:
		fmt.Fprintf(stderr, "api: %q is unknown; use serve, admin, sessions, ping, settings or version\n", command)
		return lifecycle.ExitBadConfig
	}
}
