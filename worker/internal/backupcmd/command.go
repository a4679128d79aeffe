package backupcmd

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	baseconfig "github.com/etrainer/backend/pkg/config"
	"github.com/etrainer/backend/pkg/mongodb"
	"github.com/etrainer/backend/worker/internal/backup"
	"github.com/etrainer/backend/worker/internal/backup/backupmongo"
	"github.com/etrainer/backend/worker/internal/config"
)

const (
	// connectTimeout bounds the wait for a database that does not answer.
	connectTimeout = 20 * time.Second
	// closeTimeout bounds the end of the connection.
	closeTimeout = 5 * time.Second
	// latest stands for the newest backup.
	latest = "latest"
)

// New returns the command "backup" with its subcommands.
func New() *cobra.Command {
	return newCommand(tool{
		load: func(c *config.Config) error { return baseconfig.Load(c, baseconfig.Options{}) }, now: time.Now, patience: connectTimeout,
	})
}

// tool is what the subcommands share.
type tool struct {
	load     func(*config.Config) error
	now      func() time.Time
	patience time.Duration // with a database that does not answer
}

func newCommand(t tool) *cobra.Command {
	group := &cobra.Command{
		Use:           "backup",
		Short:         "Make, list, verify, restore and compare backups",
		Args:          cobra.NoArgs,
		SilenceUsage:  true,
		SilenceErrors: true,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	group.AddCommand(t.runCommand(), t.listCommand(), t.verifyCommand(), t.restoreCommand(), t.compareCommand())
	return group
}

// session is one execution of a subcommand.
type session struct {
	tool
	cfg   config.Config
	store backup.Store
	log   *slog.Logger
}

// action makes the RunE of a subcommand: it reads the configuration and opens
// the store first. A signal cancels what is being done, which then cleans up.
func (t tool) action(do func(ctx context.Context, s *session, cmd *cobra.Command, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) (err error) {
		s := &session{tool: t, log: slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), nil))}
		if err := t.load(&s.cfg); err != nil {
			return err
		}
		if s.store, err = s.cfg.Backup.Open(); err != nil {
			return err
		}
		ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
		defer stop()
		return do(ctx, s, cmd, args)
	}
}

// connect opens a database; "" = the one that the address names. It is never that
// of the fallback: a backup of it would count as the newest one, and remove older
// ones.
func (s *session) connect(ctx context.Context, name string) (*backupmongo.Database, func(), error) {
	options, err := s.cfg.Mongo.Options("etrainer-backup", nil, s.log)
	if err != nil {
		return nil, nil, err
	}
	connecting, cancel := context.WithTimeout(ctx, s.patience)
	defer cancel()
	client, err := mongodb.Connect(connecting, options.WithoutFallback())
	if err != nil {
		return nil, nil, err
	}
	end := func() {
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout) // also after a signal
		defer cancel()
		_ = client.Close(closing) // nothing is left to do about an error
	}
	return backupmongo.New(client, name), end, nil
}

// backup is the one that a subcommand is about, and what opens it: the argument
// names it, "latest" or none is the newest, and --identity names a file; "" = none.
func (s *session) backup(ctx context.Context, args []string, identity string) (string, backup.Identities, error) {
	keys, err := identities(identity)
	if err != nil {
		return "", nil, err
	}
	if len(args) > 0 && args[0] != latest {
		return args[0], keys, nil
	}
	name, err := backup.Newest(ctx, s.store)
	return name, keys, err
}

func identities(path string) (backup.Identities, error) {
	if path == "" {
		return nil, nil
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open the identity file: %w", err)
	}
	defer file.Close()
	return backup.ParseIdentities(file)
}
