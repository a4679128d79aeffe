package mongodb_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/etrainer/backend/pkg/mongodb"
)

func ExampleConnect() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute) // how long to wait for the server
	defer cancel()

	client, err := mongodb.Connect(ctx, mongodb.Options{
		URI: os.Getenv("MONGODB_URI"), AppName: "example", Log: slog.New(slog.NewTextHandler(os.Stderr, nil)),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() {
		if err := client.Close(ctx); err != nil {
			fmt.Println(err)
		}
	}()
	if client.Capabilities().TTL {
		fmt.Println(client.Target().Host, "removes old documents by itself")
	}
}
