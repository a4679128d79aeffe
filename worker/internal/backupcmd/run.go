package backupcmd

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/etrainer/backend/pkg/version"
	"github.com/etrainer/backend/worker/internal/backup"
)

func (t tool) runCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "run",
		Short: "Make a backup now, and remove old ones",
		Long: "Make a backup now, and remove the ones that the retention no longer wants: what\n" +
			"the job \"backup critical data\" does, without a queue.",
		Args: cobra.NoArgs,
		RunE: t.action(runBackup),
	}
}

func runBackup(ctx context.Context, s *session, cmd *cobra.Command, _ []string) error {
	source, end, err := s.connect(ctx, "")
	if err != nil {
		return err
	}
	defer end()
	made, err := backup.Create(ctx, source, s.store, backup.CreateOptions{
		Recipients: s.cfg.Backup.Keys(), Exclude: s.cfg.Backup.Excluded(), Product: version.Version, Now: s.now, Log: s.log,
	})
	if err != nil {
		return err
	}
	out := cmd.OutOrStdout()
	fmt.Fprintf(out, "%s\n%d documents in %d collections, %s, at %s\n%s\n", made.Name, made.Documents, len(made.Collections), size(made.Bytes), made.Location, consistency(made.Manifest))
	removed, err := backup.Prune(ctx, s.store, source.Database(), s.cfg.Backup.Retention(s.cfg.Zone()), s.now())
	for _, name := range removed {
		fmt.Fprintf(out, "removed %s\n", name)
	}
	return err
}

// consistency is the sentence of a manifest about its point in time.
func consistency(m *backup.Manifest) string {
	if m.Consistent {
		return "consistent: " + m.Consistency
	}
	return "not consistent: " + m.Consistency
}

// size is a number of bytes for people.
func size(bytes int64) string {
	const step = 1 << 10
	if bytes < step {
		return fmt.Sprintf("%d B", bytes)
	}
	value, unit := float64(bytes)/step, 0
	for ; value >= step && unit < len("KMGT")-1; unit++ {
		value /= step
	}
	return fmt.Sprintf("%.1f %ciB", value, "KMGT"[unit])
}
