// Command migrate brings the database to the schema of this release, and back.
//
//	migrate plan             print what up would do, in words or as JSON; change nothing
//	migrate up               apply the pending steps; safe from many replicas at once
//	migrate status           print which steps are applied
//	migrate down --to N      take steps back, down to number N
//	migrate shard --plan     print what would distribute the collections over shards
//	migrate shard --apply    do it, on a sharded cluster
//	migrate create-reader    make a database user that may read and nothing else
//	migrate settings         print every variable it reads: meaning, unit, default and example
//	migrate version
//
// It reads the same MONGODB_ variables as the api and the worker.
//
// Exit codes: 0 done, 1 failed (run it again), 2 refused or badly configured
// (the text says what to change first).
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	_ "time/tzdata" // images without zone files know all time zones

	"github.com/spf13/cobra"

	"github.com/etrainer/backend/migrations/internal/migrate"
	"github.com/etrainer/backend/pkg/config"
	"github.com/etrainer/backend/pkg/lifecycle"
	"github.com/etrainer/backend/pkg/version"
)

func main() { os.Exit(run(context.Background(), os.Args[1:])) }

func run(ctx context.Context, args []string) int {
	ctx, release := lifecycle.NotifyContext(ctx)
	defer release()
	root := &cobra.Command{
		Use: "migrate", Short: "Brings the database to the schema of this release, and back",
		SilenceUsage: true, SilenceErrors: true,
	}
	root.AddCommand(upCommand(), downCommand(), statusCommand(), planCommand(), shardCommand(), readerCommand(), &cobra.Command{
		Use: "settings", Short: "Print every variable migrate reads: meaning, unit, default and example", Args: cobra.NoArgs,
		Run: func(cmd *cobra.Command, _ []string) {
			paragraphs := append(config.Template(&settings{}), config.Template(&readerSettings{})...)
			fmt.Fprint(cmd.OutOrStdout(), strings.Join(paragraphs, "\n"))
		},
	}, &cobra.Command{
		Use: "version", Short: "Print the version", Args: cobra.NoArgs,
		Run: func(cmd *cobra.Command, _ []string) { fmt.Fprintln(cmd.OutOrStdout(), version.String()) },
	})
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return lifecycle.ExitOK
	}
	fmt.Fprintln(os.Stderr, "migrate: "+err.Error())
	if errors.Is(err, config.ErrConfig) || errors.Is(err, migrate.ErrRefused) {
		return lifecycle.ExitBadConfig
	}
	return lifecycle.ExitFailed
}
