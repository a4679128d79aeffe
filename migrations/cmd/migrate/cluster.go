package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"regexp"
	"time"

	"github.com/spf13/cobra"

	"github.com/etrainer/backend/migrations/internal/cluster"
	"github.com/etrainer/backend/migrations/internal/migrate"
	"github.com/etrainer/backend/pkg/config"
	"github.com/etrainer/backend/pkg/mongodb"
)

// clusterTimeout bounds the wait for the database.
const clusterTimeout = time.Minute

func shardCommand() *cobra.Command {
	var plan, apply bool
	c := &cobra.Command{
		Use: "shard --plan|--apply", Short: "Distribute the collections over the shards of a cluster", Args: cobra.NoArgs,
		Long: "Distributes the collections by the shard keys of docs/scaling.md. Run migrate up first: a\n" +
			"shard key needs its index. A server that is no sharded cluster is refused.",
	}
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		return connected(cmd, clusterTimeout, func(ctx context.Context, s settings, client *mongodb.Client, _ *slog.Logger) error {
			actions, err := cluster.Shard(ctx, client.Database(), client.Capabilities(), s.Collection)
			if err != nil {
				return err
			}
			for _, action := range actions {
				fmt.Fprintln(cmd.OutOrStdout(), migrate.Line(action))
				if apply && action.Do != nil {
					if err := action.Do(ctx); err != nil {
						return fmt.Errorf("%s: %w", action.Text, err)
					}
				}
			}
			return nil
		})
	}
	c.Flags().BoolVar(&plan, "plan", false, "print what would be done, and change nothing")
	c.Flags().BoolVar(&apply, "apply", false, "do it")
	c.MarkFlagsOneRequired("plan", "apply")
	c.MarkFlagsMutuallyExclusive("plan", "apply")
	return c
}

// readerSettings are what create-reader reads beside the database's address.
type readerSettings struct {
	Password config.Secret `env:"READER_PASSWORD" help:"password of the user that \"migrate create-reader\" makes; default one is made up and printed once" example:"what openssl rand -base64 24 prints"`
}

// readerName keeps the name fit for an address and a role.
var readerName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_-]{0,62}$`)

func readerCommand() *cobra.Command {
	reader := cluster.Reader{}
	c := &cobra.Command{
		Use: "create-reader", Short: "Make a database user that may read and nothing else", Args: cobra.NoArgs,
		Long: "Makes a user that may read the collections of the product, for Mongo Express, Compass or a\n" +
			"shell. The password is READER_PASSWORD; without it one is made up and printed once.",
	}
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		var own readerSettings
		if err := config.Load(&own, config.Options{}); err != nil {
			return err
		}
		if !readerName.MatchString(reader.Name) {
			return fmt.Errorf("%w: --name is %q; use letters, digits, _ and -, beginning with a letter", config.ErrConfig, reader.Name)
		}
		reader.Password = own.Password.Reveal()
		madeUp := reader.Password == ""
		if madeUp {
			reader.Password = rand.Text()
		}
		return connected(cmd, clusterTimeout, func(ctx context.Context, s settings, client *mongodb.Client, _ *slog.Logger) error {
			db := client.Database()
			if err := cluster.CreateReader(ctx, db, s.Collection, reader); err != nil {
				return err
			}
			out := cmd.OutOrStdout()
			fmt.Fprintf(out, "user %s may read the database %s; connect with authSource=%s\n", reader.Name, db.Name(), db.Name())
			if madeUp {
				fmt.Fprintf(out, "password, shown this once: %s\n", reader.Password)
			}
			return nil
		})
	}
	c.Flags().StringVar(&reader.Name, "name", "inspector", "name of the user")
	c.Flags().BoolVar(&reader.Accounts, "with-accounts", false, "let it also read the accounts, with password hashes, and the sessions")
	return c
}
