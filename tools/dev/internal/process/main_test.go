package process_test

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"testing"

	"go.uber.org/goleak"

	"github.com/etrainer/backend/tools/dev/internal/process"
)

// roleVariable makes the test binary play a program instead of testing.
const roleVariable = "PROCESS_TEST_ROLE"

func TestMain(m *testing.M) {
	role, ok := os.LookupEnv(roleVariable)
	if !ok {
		goleak.VerifyTestMain(m)
		return
	}

	if err := play(role); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// play is a program that the tests run.
func play(role string) error {
	terminated := make(chan os.Signal, 1)
	signal.Notify(terminated, syscall.SIGTERM)

	switch role {
	case "talker":
		fmt.Println("first")
		fmt.Fprintln(os.Stderr, "second")
		fmt.Println(strings.Repeat("x", 100_000))
		fmt.Print("last")
	case "misconfigured":
		os.Exit(2)
	case "crasher":
		fmt.Println("crashing")
		os.Exit(3)
	case "polite":
		fmt.Println("pid", os.Getpid())
		<-terminated
		fmt.Println("drained")
	case "stubborn":
		fmt.Println("pid", os.Getpid())
		select {}
	case "parent":
		child := process.Start(context.Background(), process.Spec{
			Name: "child", Path: os.Args[0], Env: []string{roleVariable + "=stubborn"}, Out: process.Lines(os.Stdout),
		})
		<-child.Done()
	default:
		return fmt.Errorf("unknown role %q", role)
	}

	return nil
}
