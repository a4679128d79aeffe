package stage

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/etrainer/backend/pkg/mongodb"
	"github.com/etrainer/backend/tools/chaos/internal/history"
	"github.com/etrainer/backend/tools/chaos/internal/programs"
)

// Template makes the files of a database that has the schema of this release,
// for all stages to copy, and returns their folder.
func Template(ctx context.Context, set *programs.Set, folder string) (string, error) {
	data := filepath.Join(folder, "template")
	if err := os.MkdirAll(data, 0o750); err != nil {
		return "", fmt.Errorf("make the template: %w", err)
	}
	log, err := history.Open(folder, "template", nil)
	if err != nil {
		return "", err
	}
	defer log.Close()
	database := newDatabase(set.Dev, data, log, io.Discard)
	if err := database.start(ctx); err != nil {
		return "", err
	}
	client, err := mongodb.Connect(ctx, mongodb.Options{URI: "mongodb://" + database.target() + "/" + databaseName})
	if err != nil {
		return "", err
	}
	if err := mongodb.PrepareSchema(ctx, client.Database(), ""); err != nil {
		return "", fmt.Errorf("prepare the schema: %w", err)
	}
	if err := client.Close(ctx); err != nil {
		return "", err
	}
	return data, database.process.Stop(true, serverPatience)
}
