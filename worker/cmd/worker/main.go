// Command worker runs the jobs that the api, or a Node process with Agenda,
// put into the queue.
//
//	worker                   lease and run jobs until SIGTERM
//	worker schedule next …   print when a schedule runs
//	worker schedule when …   print what a time phrase means
//	worker backup …          make, list, verify, restore and compare backups
//	worker ping              ask a running worker on this machine whether it lives
//	worker settings          print every variable it reads: meaning, unit, default and example
//	worker version
//
// Exit codes: 0 stopped in good order, 1 failed, 2 the configuration cannot
// work (a restart will not help), 130 or 143 ended by a second signal.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	_ "time/tzdata" // images without zone files know all time zones

	"github.com/spf13/cobra"

	baseconfig "github.com/etrainer/backend/pkg/config"
	"github.com/etrainer/backend/pkg/lifecycle"
	"github.com/etrainer/backend/pkg/version"
	"github.com/etrainer/backend/worker/internal/backupcmd"
	"github.com/etrainer/backend/worker/internal/config"
	"github.com/etrainer/backend/worker/internal/schedulecmd"
)

func main() {
	code := lifecycle.ExitOK
	root := &cobra.Command{
		Use: "worker", Short: "Runs the jobs of the queue", Args: cobra.NoArgs,
		SilenceUsage: true, SilenceErrors: true,
		Run: func(cmd *cobra.Command, _ []string) { code = serve(cmd.Context()) },
	}
	root.AddCommand(schedulecmd.New(), backupcmd.New(), pingCommand(), &cobra.Command{
		Use: "settings", Short: "Print every variable the worker reads: meaning, unit, default and example", Args: cobra.NoArgs,
		Run: func(cmd *cobra.Command, _ []string) {
			fmt.Fprint(cmd.OutOrStdout(), strings.Join(baseconfig.Template(&config.Config{}), "\n"))
		},
	}, &cobra.Command{
		Use: "version", Short: "Print the version", Args: cobra.NoArgs,
		Run: func(cmd *cobra.Command, _ []string) { fmt.Fprintln(cmd.OutOrStdout(), version.String()) },
	})
	if err := root.ExecuteContext(context.Background()); err != nil {
		if text := err.Error(); text != "" {
			fmt.Fprintln(os.Stderr, "worker: "+text)
		}
		code = lifecycle.ExitFailed
		if errors.Is(err, baseconfig.ErrConfig) {
			code = lifecycle.ExitBadConfig
		}
	}
	os.Exit(code)
}
