package backupcmd

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/etrainer/backend/worker/internal/backup"
)

func (t tool) listCommand() *cobra.Command {
	asJSON := false
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the backups, the oldest first",
		Long: "List the finished backups, the oldest first, and for which of the retention's\n" +
			"reasons each is kept. One without a reason goes after the next backup.",
		Args: cobra.NoArgs,
		RunE: t.action(func(ctx context.Context, s *session, cmd *cobra.Command, _ []string) error {
			lines, err := s.lines(ctx)
			if err != nil {
				return err
			}
			if asJSON {
				encoder := json.NewEncoder(cmd.OutOrStdout())
				encoder.SetEscapeHTML(false)
				return encoder.Encode(lines)
			}
			return writeTable(cmd.OutOrStdout(), lines)
		}),
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, `print [{"name":"…","path":"…","kept":["…"],"manifest":{…}}]`)
	return cmd
}

// line is one backup.
type line struct {
	Name     string           `json:"name"`
	Path     string           `json:"path"`
	Kept     []string         `json:"kept"`
	Problem  string           `json:"problem,omitempty"`
	Manifest *backup.Manifest `json:"manifest,omitempty"`
}

func (s *session) lines(ctx context.Context) ([]line, error) {
	list, err := backup.List(ctx, s.store)
	if err != nil {
		return nil, err
	}
	names := make([]string, 0, len(list))
	for _, b := range list {
		names = append(names, b.Name)
	}
	lines := []line{}
	for _, b := range list {
		database, _, err := backup.ParseName(b.Name)
		if err != nil {
			return nil, err
		}
		l := line{Name: b.Name, Path: s.store.Location(b.Name), Manifest: b.Manifest, Kept: []string{}}
		l.Kept = append(l.Kept, s.cfg.Backup.Retention(s.cfg.Zone()).Reasons(database, names, s.now())[b.Name]...)
		if b.Problem != nil {
			l.Problem = b.Problem.Error()
		}
		lines = append(lines, l)
	}
	return lines, nil
}

func writeTable(out io.Writer, lines []line) error {
	if len(lines) == 0 {
		_, err := fmt.Fprintln(out, "there are no backups")
		return err
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "NAME\tDOCUMENTS\tSIZE\tCONSISTENT\tENCRYPTED\tKEPT AS")
	for _, l := range lines {
		if l.Manifest == nil {
			fmt.Fprintf(table, "%s\t%s\n", l.Name, l.Problem)
			continue
		}
		fmt.Fprintf(table, "%s\t%d\t%s\t%s\t%s\t%s\n", l.Name, l.Manifest.Documents, size(l.Manifest.Bytes),
			yes(l.Manifest.Consistent), yes(l.Manifest.Encrypted), strings.Join(l.Kept, ", "))
	}
	return table.Flush()
}

func yes(is bool) string {
	if is {
		return "yes"
	}
	return "no"
}
