package mediafile_test

import (
	"math"
	"testing"

	"github.com/etrainer/backend/pkg/media/mediatest"
	"github.com/etrainer/backend/pkg/mediafile"
)

// TestReportedFiles: each file of the kind that a bug report of some program is
// about is taken for what it is, and as long as it plays.
func TestReportedFiles(t *testing.T) {
	t.Parallel()
	type want struct {
		format        mediafile.Format
		width, height int
		seconds       float64 // within half a percent
	}
	for name, w := range map[string]want{
		"s_221112.jpg":        {"jpg", 640, 400, 0}, // colours that are saved on unevenly
		"s_122111.jpg":        {"jpg", 640, 400, 0},
		"s_410.jpg":           {"jpg", 640, 400, 0},
		"s_411.jpg":           {"jpg", 640, 400, 0},
		"gray22.jpg":          {"jpg", 640, 400, 0},
		"dnl.jpg":             {"jpg", 640, 400, 0}, // its height stands behind its data
		"exif6.webp":          {"webp", 400, 640, 0},
		"exif6_I_3.jpg":       {"jpg", 400, 640, 0},
		"exif6_M_3.jpg":       {"jpg", 400, 640, 0},
		"apng.png":            {"png", 640, 400, 0},
		"anim.gif":            {"gif", 64, 40, 0},
		"icc.jpg":             {"jpg", 640, 400, 0},
		"base.jpg":            {"jpg", 640, 400, 0},
		"apeend.mp3":          {"mp3", 0, 0, 10}, // a cover of 160 kB behind the sound
		"id3art.mp3":          {"mp3", 0, 0, 10},
		"id3art_pad.mp3":      {"mp3", 0, 0, 10},
		"twoid3.mp3":          {"mp3", 0, 0, 10}, // two tags before the sound
		"xing.mp3":            {"mp3", 0, 0, 10},
		"info.mp3":            {"mp3", 0, 0, 10},
		"xing_noframes.mp3":   {"mp3", 0, 0, 10},
		"vbr_nohdr.mp3":       {"mp3", 0, 0, 10}, // a variable rate, and nothing that says so
		"mpeg2.mp3":           {"mp3", 0, 0, 10},
		"opus.ogg":            {"ogg", 0, 0, 10},
		"opus_live.ogg":       {"ogg", 0, 0, 10}, // cut from a broadcast after an hour
		"opus_lastminus1.ogg": {"ogg", 0, 0, 10},
		"base.wav":            {"wav", 0, 0, 3},
		"data0.wav":           {"wav", 0, 0, 3}, // its recorder was stopped
		"byteratebad.wav":     {"wav", 0, 0, 3},
		"base.mp4":            {"mp4", 320, 240, 10},
		"moovend.mp4":         {"mp4", 320, 240, 10},
		"mdat0.mp4":           {"mp4", 320, 240, 10},
		"mdat64.mp4":          {"mp4", 320, 240, 10},
		"frag.mp4":            {"mp4", 320, 240, 10}, // fragments, and no length in the header
		"frag_mehd.mp4":       {"mp4", 320, 240, 10},
		"mvhd0_mdhd.mp4":      {"mp4", 320, 240, 10},
		"noftyp_mdat.mov":     {"mov", 320, 240, 10},
		"noftyp_wide.mov":     {"mov", 320, 240, 10},
		"noftyp_udta.mov":     {"mov", 320, 240, 10},
		"m4a_chapters.m4a":    {"m4a", 0, 0, 10},
		"m4a_covr.m4a":        {"m4a", 0, 0, 10},
		"gdocs.docx":          {"docx", 0, 0, 0},
		"relsfirst.docx":      {"docx", 0, 0, 0},
		"thumbbefore.docx":    {"docx", 0, 0, 0},
		"trashbig.docx":       {"docx", 0, 0, 0},
		"lead10.pdf":          {"pdf", 0, 0, 0},
		"bom.pdf":             {"pdf", 0, 0, 0},
		"u8.txt":              {"txt", 0, 0, 0},
		"u16le.txt":           {"txt", 0, 0, 0},
		"long_vi.txt":         {"txt", 0, 0, 0},
	} {
		info, err := measure(t, mediatest.Report(t, name))
		if err != nil || info.Format != w.format || info.Width != w.width || info.Height != w.height || math.Abs(info.Duration-w.seconds) > w.seconds*0.005 {
			t.Errorf("%s is measured as %+v, %v; want %+v", name, info, err, w)
		}
	}
}
