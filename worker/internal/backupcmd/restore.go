package backupcmd

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/etrainer/backend/worker/internal/backup"
)

// restoreFlags are those of "backup restore".
type restoreFlags struct {
	database string
	identity string
	force    bool
}

func (t tool) restoreCommand() *cobra.Command {
	var f restoreFlags
	cmd := &cobra.Command{
		Use:   "restore NAME",
		Short: "Fill an empty database from a backup, and compare the two",
		Long: "Fill a database from a backup; NAME may be \"latest\". The whole backup is verified\n" +
			"before anything is changed. A database that has any collection is refused, unless\n" +
			"--force drops all of its collections first, those that the backup does not have\n" +
			"among them. Documents are restored first, then indexes, then views; in the end all\n" +
			"is read back and compared. Stop the api and the workers of that database before.",
		Example: "  worker backup restore latest --database etrainer_restored\n" +
			"  worker backup restore etrainer-20260817T030000.000Z --identity key.txt --force",
		Args: cobra.ExactArgs(1),
		RunE: t.action(f.restore),
	}
	cmd.Flags().StringVar(&f.database, "database", "", "database to restore into (default: the one that the address names)")
	cmd.Flags().StringVar(&f.identity, "identity", "", identityUsage)
	cmd.Flags().BoolVar(&f.force, "force", false, "drop every collection of the database first")
	return cmd
}

func (f *restoreFlags) restore(ctx context.Context, s *session, cmd *cobra.Command, args []string) error {
	name, keys, err := s.backup(ctx, args, f.identity)
	if err != nil {
		return err
	}
	target, end, err := s.connect(ctx, f.database)
	if err != nil {
		return err
	}
	defer end()
	restored, err := backup.Restore(ctx, s.store, name, target, backup.RestoreOptions{Identities: keys, Drop: f.force, Log: s.log})
	if errors.Is(err, backup.ErrPartial) {
		return fmt.Errorf("%w: mend the cause and restore again with --force", err)
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(cmd.OutOrStdout(), "%s is restored into %s and equal: %d documents in %d collections\n",
		name, target.Database(), restored.Documents, len(restored.Collections))
	return nil
}
