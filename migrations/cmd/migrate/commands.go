package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/etrainer/backend/migrations/internal/migrate"
)

func upCommand() *cobra.Command {
	var f flags
	var to int
	c := &cobra.Command{Use: "up", Short: "Apply the pending steps", Args: cobra.NoArgs}
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		out := cmd.OutOrStdout()
		return f.with(cmd, sayTo(out), func(ctx context.Context, r *migrate.Runner) error {
			n, err := r.Up(ctx, to)
			if err == nil {
				fmt.Fprintf(out, "%d steps applied\n", n)
			}
			return err
		})
	}
	f.add(c)
	c.Flags().IntVar(&to, "to", 0, "last step to apply; 0 = all")
	return c
}

func downCommand() *cobra.Command {
	var f flags
	var to int
	c := &cobra.Command{Use: "down --to N", Short: "Take back the steps above a number", Args: cobra.NoArgs}
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		out := cmd.OutOrStdout()
		return f.with(cmd, sayTo(out), func(ctx context.Context, r *migrate.Runner) error {
			n, err := r.Down(ctx, to)
			if err == nil {
				fmt.Fprintf(out, "%d steps undone\n", n)
			}
			return err
		})
	}
	f.add(c)
	c.Flags().IntVar(&to, "to", 0, "last step to keep")
	_ = c.MarkFlagRequired("to") // the flag is there
	return c
}

func planCommand() *cobra.Command {
	var f flags
	var asJSON bool
	c := &cobra.Command{Use: "plan", Short: "Print what up would do, and change nothing", Args: cobra.NoArgs}
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		out := cmd.OutOrStdout()
		return f.with(cmd, sayTo(cmd.ErrOrStderr()), func(ctx context.Context, r *migrate.Runner) error {
			plan, err := r.Plan(ctx)
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(out, map[string]any{"steps": plan})
			}
			for _, line := range migrate.Words(plan) {
				fmt.Fprintln(out, line)
			}
			return nil
		})
	}
	f.add(c)
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func statusCommand() *cobra.Command {
	var f flags
	var asJSON bool
	c := &cobra.Command{Use: "status", Short: "Print which steps are applied", Args: cobra.NoArgs}
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		out := cmd.OutOrStdout()
		return f.with(cmd, sayTo(cmd.ErrOrStderr()), func(ctx context.Context, r *migrate.Runner) error {
			status, err := r.Status(ctx)
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(out, status)
			}
			return printStatus(out, status)
		})
	}
	f.add(c)
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func printStatus(out io.Writer, s migrate.Status) error {
	fmt.Fprintf(out, "database: schema version %d\nrelease:  schema version %d, works with %d and later\n", s.Schema.Version, s.Release.Version, s.Release.Oldest)
	if s.Problem != "" {
		fmt.Fprintln(out, "problem:  "+s.Problem)
	}
	if s.Locked != "" {
		fmt.Fprintln(out, "migrating now: "+s.Locked)
	}
	table := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	for _, step := range s.Steps {
		at := ""
		if !step.AppliedAt.IsZero() {
			at = step.AppliedAt.UTC().Format(time.RFC3339)
		}
		fmt.Fprintf(table, "%04d\t%s\t%s\t%s\t%s\n", step.Number, step.Name, step.State, at, step.By)
	}
	return table.Flush()
}

func sayTo(out io.Writer) func(string) { return func(line string) { fmt.Fprintln(out, line) } }

func printJSON(out io.Writer, value any) error {
	encoder := json.NewEncoder(out)
	encoder.SetIndent("", "  ")
	return encoder.Encode(value)
}
