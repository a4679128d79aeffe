package backupcmd

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/etrainer/backend/worker/internal/backup"
)

const identityUsage = "file with the age identity that opens an encrypted backup"

func (t tool) verifyCommand() *cobra.Command {
	identity := ""
	cmd := &cobra.Command{
		Use:   "verify [NAME]",
		Short: "Read a whole backup and check that it is what was written",
		Long: "Read every byte of a backup, by default the newest: no file may be missing, cut\n" +
			"off, changed or added, and each must hold the documents that were written. Of an\n" +
			"encrypted backup the documents are checked only with --identity.",
		Args: cobra.MaximumNArgs(1),
		RunE: t.action(func(ctx context.Context, s *session, cmd *cobra.Command, args []string) error {
			name, keys, err := s.backup(ctx, args, identity)
			if err != nil {
				return err
			}
			verified, err := backup.Verify(ctx, s.store, name, keys)
			if err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s is whole: %d documents in %d collections, %s\n", name, verified.Documents, len(verified.Collections), size(verified.Bytes))
			if !verified.Opened {
				fmt.Fprintln(cmd.OutOrStdout(), "it is encrypted and was not opened: only the stored bytes were checked (--identity checks the documents)")
			}
			return nil
		}),
	}
	cmd.Flags().StringVar(&identity, "identity", "", identityUsage)
	return cmd
}
