package uploads

import "github.com/etrainer/backend/pkg/media"

// slot is what one upload route takes, with the texts of the Node backend.
type slot struct {
	kind       media.Kind
	fields     []string // names that the part may have
	most       int      // files
	many       bool     // the reply lists files
	success    string
	failed     string // `error` when the caller is at fault
	processing string // `error` when we are
	noFile     string // "" = no file is no fault
	wrongType  string
	takes      string // what to send instead
}

// slots are the routes below /api/uploads.
var slots = map[string]slot{
	"images": {
		kind: media.Image, fields: []string{"images"}, most: 5, many: true,
		success: "Images uploaded successfully", failed: "Image upload failed", processing: "Image processing failed",
		wrongType: "Only image files are allowed", takes: "send JPEG, PNG, GIF or WebP",
	},
	"documents": {
		kind: media.Document, fields: []string{"documents"}, most: 3, many: true,
		success: "Documents uploaded successfully", failed: "Document upload failed", processing: "Document processing failed",
		wrongType: "Only PDF, DOC, DOCX, and TXT files are allowed", takes: "send PDF, DOC, DOCX or TXT",
	},
	"audio": {
		kind: media.Audio, fields: []string{"audio"}, most: 1,
		success: "Audio uploaded successfully", failed: "Audio upload failed", processing: "Audio processing failed",
		noFile: "No audio file provided", wrongType: "Only audio files are allowed", takes: "send MP3, WAV, OGG or M4A",
	},
	// Android's documentation calls the field videos.
	"videos": {
		kind: media.Video, fields: []string{"video", "videos"}, most: 1,
		success: "Video uploaded successfully", failed: "Video upload failed", processing: "Video processing failed",
		noFile: "No video file provided", wrongType: "Only video files are allowed", takes: "send MP4, MOV, AVI or WMV",
	},
}
