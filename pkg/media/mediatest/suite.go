package mediatest

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/etrainer/backend/pkg/media"
	"github.com/etrainer/backend/pkg/mediafile"
)

// Received is a sample as the api has received it.
func Received(t testing.TB, kind media.Kind, format mediafile.Format) media.Upload {
	t.Helper()
	content := Sample(format)
	path := filepath.Join(t.TempDir(), "received")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	info, err := mediafile.Measure(file, int64(len(content)), format)
	if err != nil {
		t.Fatal(err)
	}
	return media.Upload{PublicID: media.NewPublicID(kind, format), Kind: kind, Path: path, File: info}
}

// Run holds a store to the promises of the port. Other files in it do not
// matter, and none of its own stay.
func Run(t *testing.T, store media.Store) {
	// These four are whole and sound, for a real account plays what it gets.
	formats := map[media.Kind]mediafile.Format{
		media.Image: mediafile.PNG, media.Audio: mediafile.WAV, media.Video: mediafile.AVI, media.Document: mediafile.PDF,
	}
	ctx := t.Context()
	for kind, format := range formats {
		upload := Received(t, kind, format)
		asset, err := store.Put(ctx, upload)
		if err != nil || asset.Ref != upload.Ref() || asset.Bytes != upload.File.Size || asset.URL == "" || asset.Format != string(format) ||
			asset.Width != upload.File.Width || asset.Duration != upload.File.Duration || asset.CreatedAt.IsZero() {
			t.Errorf("Put of a %s = %+v, %v", format, asset, err)
			continue
		}
		if info, err := store.Info(ctx, asset.Ref); err != nil || info.Bytes != asset.Bytes || info.URL != asset.URL {
			t.Errorf("Info of a %s = %+v, %v", format, info, err)
		}
		if kind == media.Image {
			made, err := store.Optimize(ctx, asset.Ref, media.Transform{Width: 10, Quality: "auto"}, media.Transform{Height: 20, Quality: "50"})
			if err != nil || len(made) != 2 || made[0].URL == "" || made[0].URL == made[1].URL || made[0].URL == asset.URL {
				t.Errorf("Optimize = %+v, %v", made, err)
			}
		}
		listed := 0
		for found, err := range store.All(ctx) {
			if err != nil {
				t.Errorf("All: %v", err)
			}
			if found.Ref == asset.Ref && found.Bytes == asset.Bytes {
				listed++
			}
		}
		if listed != 1 {
			t.Errorf("a %s is listed %d times", format, listed)
		}
		if err := store.Delete(ctx, asset.Ref); err != nil {
			t.Errorf("Delete of a %s: %v", format, err)
		}
		if err := store.Delete(ctx, asset.Ref); !errors.Is(err, media.ErrNotFound) {
			t.Errorf("second Delete of a %s: %v", format, err)
		}
		if _, err := store.Info(ctx, asset.Ref); !errors.Is(err, media.ErrNotFound) {
			t.Errorf("Info of a deleted %s: %v", format, err)
		}
	}
	if usage, err := store.Usage(ctx); err != nil || usage.Store != store.Name() || usage.Storage.Used == nil {
		t.Errorf("Usage = %+v, %v", usage, err)
	}
	if health := store.Health(ctx); health.Err != nil || store.Ready() != nil {
		t.Errorf("Health = %+v, Ready = %v", health, store.Ready())
	}
	for _, id := range []string{"../x", "etrainer/images/../../x", "etrainer/images/x?y"} {
		ref := media.Ref{PublicID: id, ResourceType: media.ResourceImage}
		if err := store.Delete(ctx, ref); !errors.Is(err, media.ErrNotFound) {
			t.Errorf("Delete of %q: %v", id, err)
		}
		if _, err := store.Optimize(ctx, ref, media.ThumbnailOf); !errors.Is(err, media.ErrNotFound) {
			t.Errorf("Optimize of %q: %v", id, err)
		}
	}
}
