package mediafile_test

import (
	"bytes"
	"io"
	"testing"

	"github.com/etrainer/backend/pkg/media/mediatest"
	"github.com/etrainer/backend/pkg/mediafile"
)

// pictures are the formats that Clean knows.
var pictures = []mediafile.Format{mediafile.JPEG, mediafile.PNG, mediafile.GIF, mediafile.WebP}

// seeds adds the reported files, of which the long ones hold nothing but zeros
// behind their beginning.
func seeds(f *testing.F, add func(name string, content []byte)) {
	f.Helper()
	for _, name := range mediatest.Reports(f) {
		if content := mediatest.Report(f, name); len(content) < 50_000 {
			add(name, content)
		}
	}
}

// FuzzClean: what is left of any picture is that picture, and has nothing more
// to take out.
func FuzzClean(f *testing.F) {
	f.Add(telephone(6, false))
	f.Add(telephone(3, true, 7, 3, 1, 6, 0, 4, 2, 5, 9))
	f.Add(inserted(mediatest.PNG(4, 4), string(chunkPNG("eXIf", string(exif(6, true)))), string(chunkPNG("tEXt", "a\x00b"))))
	for _, format := range pictures {
		f.Add(mediatest.Sample(format))
	}
	seeds(f, func(_ string, content []byte) {
		if format := mediafile.Sniff(content); format == mediafile.JPEG || format == mediafile.PNG || format == mediafile.GIF || format == mediafile.WebP {
			f.Add(content)
		}
	})
	f.Fuzz(func(t *testing.T, content []byte) {
		before, err := mediafile.Measure(bytes.NewReader(content), int64(len(content)), mediafile.Sniff(content[:min(len(content), mediafile.HeadSize)]))
		if err != nil || before.Width == 0 || decoders[before.Format] == nil {
			return
		}
		reader, size, err := mediafile.Clean(bytes.NewReader(content), before)
		if err != nil || reader == nil {
			return
		}
		cleaned, err := io.ReadAll(reader)
		if err != nil || int64(len(cleaned)) != size {
			t.Fatalf("%d bytes of %d, %v", len(cleaned), size, err)
		}
		after, err := mediafile.Measure(bytes.NewReader(cleaned), size, before.Format)
		if err != nil || after.Width != before.Width || after.Height != before.Height || after.Turn != before.Turn || after.Moves != before.Moves {
			t.Fatalf("%+v, %v; it was %+v", after, err, before)
		}
		if again, _, err := mediafile.Clean(bytes.NewReader(cleaned), after); again != nil || err != nil {
			t.Errorf("a clean file changes: %v", err)
		}
		_ = mediafile.Profile(bytes.NewReader(cleaned), after)
	})
}
