package main

import (
	"bufio"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/etrainer/backend/api/internal/auth"
	"github.com/etrainer/backend/api/internal/auth/authmongo"
	"github.com/etrainer/backend/api/internal/config"
	settings "github.com/etrainer/backend/pkg/config"
	"github.com/etrainer/backend/pkg/lifecycle"
	"github.com/etrainer/backend/pkg/logging"
	"github.com/etrainer/backend/pkg/metrics"
	"github.com/etrainer/backend/pkg/mongodb"
	"github.com/etrainer/backend/pkg/version"
)

// accountsTimeout bounds a command, also while the database is away.
const accountsTimeout = time.Minute

// accountsUsage is what a command that is not understood answers with.
const accountsUsage = `api: write one of
  api admin create EMAIL [--password-stdin]   make an account that is an administrator's, with a random password or that of the first line of the standard input
  api admin grant EMAIL                       make an account that is there an administrator's
  api sessions end EMAIL                      end all sessions of an account
`

// accounts runs a command for the operator, and returns the exit code. Other
// processes notice what it changes within two seconds.
func accounts(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	command := strings.Join(args[:min(len(args), 2)], " ")
	fromStdin := command == "admin create" && len(args) == 4 && args[3] == "--password-stdin"
	if len(args) != 3 && !fromStdin || !slices.Contains([]string{"admin create", "admin grant", "sessions end"}, command) {
		fmt.Fprint(stderr, accountsUsage)
		return lifecycle.ExitBadConfig
	}
	ctx, release := lifecycle.NotifyContext(ctx)
	defer release()
	ctx, cancel := context.WithTimeout(ctx, accountsTimeout)
	defer cancel()
	service, closing, err := openAccounts(ctx, stderr)
	if err == nil {
		err = do(ctx, service, command, args[2], fromStdin, stdin, stdout)
		err = errors.Join(err, closing(context.WithoutCancel(ctx)))
	}
	switch {
	case errors.Is(err, settings.ErrConfig):
		fmt.Fprintln(stderr, "api:", err)
		return lifecycle.ExitBadConfig
	case err != nil:
		fmt.Fprintln(stderr, "api:", err)
		return lifecycle.ExitFailed
	default:
		return lifecycle.ExitOK
	}
}

func do(ctx context.Context, service *auth.Service, command, account string, fromStdin bool, stdin io.Reader, stdout io.Writer) error {
	switch command {
	case "admin create":
		return createAdmin(ctx, service, account, fromStdin, stdin, stdout)
	case "admin grant":
		user, err := service.GrantAdmin(ctx, account)
		if err == nil {
			fmt.Fprintf(stdout, "%s is an administrator.\n", user.Email)
		}
		return err
	default:
		user, err := service.EndSessions(ctx, account)
		if err == nil {
			fmt.Fprintf(stdout, "All sessions of %s have ended.\n", user.Email)
		}
		return err
	}
}

// createAdmin prints a password that it made up, once.
func createAdmin(ctx context.Context, service *auth.Service, email string, fromStdin bool, stdin io.Reader, stdout io.Writer) error {
	password := rand.Text()
	if fromStdin {
		line, err := bufio.NewReader(stdin).ReadString('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return fmt.Errorf("read the password: %w", err)
		}
		password = strings.TrimRight(line, "\r\n")
	}
	user, err := service.CreateAdmin(ctx, "Administrator", email, password)
	if err != nil {
		return err
	}
	fmt.Fprintf(stdout, "%s is an administrator.\n", user.Email)
	if !fromStdin {
		fmt.Fprintf(stdout, "password: %s\n", password)
	}
	return nil
}

// openAccounts connects to the accounts, as the program does.
func openAccounts(ctx context.Context, stderr io.Writer) (service *auth.Service, closing func(context.Context) error, err error) {
	var cfg config.Config
	if err := settings.Load(&cfg, settings.Options{}); err != nil {
		return nil, nil, err
	}
	lines, err := logging.New(logging.Options{Level: "warn", Format: logging.FormatFor(cfg.Environment), Out: stderr, Service: "api", Version: version.Version})
	if err != nil {
		return nil, nil, err
	}
	log := lines.Logger
	client, err := connect(ctx, cfg, metrics.New("api", log), log)
	if err != nil {
		return nil, nil, err
	}
	if err := mongodb.CheckSchema(ctx, client.Database(), cfg.JobsCollection, log); err != nil {
		return nil, nil, errors.Join(err, client.Close(context.WithoutCancel(ctx)))
	}
	clock := mongodb.NewServerClock(client, log)
	if err := clock.Start(ctx); err != nil {
		return nil, nil, errors.Join(err, client.Close(context.WithoutCancel(ctx)))
	}
	store := authmongo.New(client.Database(), clock.Now, log)
	service, err = auth.NewService(store, store, tokens(cfg, clock), auth.NewPasswords(cfg.BcryptRounds), auth.WithLog(log))
	closing = func(ctx context.Context) error { return errors.Join(clock.Stop(ctx), client.Close(ctx)) }
	if err != nil {
		return nil, nil, errors.Join(err, closing(context.WithoutCancel(ctx)))
	}
	return service, closing, nil
}
