package backupcmd

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/etrainer/backend/worker/internal/backup"
)

func (t tool) compareCommand() *cobra.Command {
	var database, identity string
	cmd := &cobra.Command{
		Use:   "compare NAME",
		Short: "Compare a database with a backup",
		Long: "Read a database and compare it with a backup: the count and content of every\n" +
			"collection, and every index. \"restore\" ends with it; here it is for what\n" +
			"mongorestore has restored. Collections that the backup does not have are not\n" +
			"looked at. A database that is being written to differs.",
		Args: cobra.ExactArgs(1),
		RunE: t.action(func(ctx context.Context, s *session, cmd *cobra.Command, args []string) error {
			name, keys, err := s.backup(ctx, args, identity)
			if err != nil {
				return err
			}
			target, end, err := s.connect(ctx, database)
			if err != nil {
				return err
			}
			defer end()
			if err := backup.Compare(ctx, s.store, name, target, keys); err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s and the database %s are equal\n", name, target.Database())
			return nil
		}),
	}
	cmd.Flags().StringVar(&database, "database", "", "database to compare (default: the one that the address names)")
	cmd.Flags().StringVar(&identity, "identity", "", identityUsage)
	return cmd
}
