package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"github.com/spf13/viper"
)

// What editors of Windows write before text.
var (
	markUTF8    = []byte("\xef\xbb\xbf")
	marksUTF16  = [][]byte{{0xff, 0xfe}, {0xfe, 0xff}}
	yamlMistake = regexp.MustCompile(`^yaml: (?:unmarshal errors:\s+)?line (\d+):`)
)

// mends say how a line of each format is written.
var mends = map[string]string{
	"dotenv": "write each line as NAME=value, with 'single quotes' around a value that holds spaces, # or $",
	"yaml":   "write each line as NAME: value, with 'single quotes' around text",
	"toml":   `write each line as NAME = "value"`,
	"json":   `write it as {"NAME": "value"}, with commas between and none at the end`,
}

// formatOf tells the format of a file by its name. What is nothing else is
// dotenv, whose files have many names.
func formatOf(path string) string {
	switch extension := strings.ToLower(filepath.Ext(path)); extension {
	case ".yaml", ".yml":
		return "yaml"
	case ".toml", ".json":
		return extension[1:]
	default:
		return "dotenv"
	}
}

// readFile reads a file of settings. Its errors quote nothing of it, since it is
// likely to hold secrets.
func readFile(path string) (map[string]any, error) {
	problem := Problem{Variable: FileVariable, Value: path}
	text, err := os.ReadFile(path)
	if err != nil {
		problem.Fault, problem.Mend = "cannot be read", "name a file that exists and that this user may read, or unset it"
		return nil, problem
	}
	text = bytes.TrimPrefix(text, markUTF8)
	for _, mark := range marksUTF16 {
		if bytes.HasPrefix(text, mark) {
			problem.Fault, problem.Mend = "is a file in UTF-16", "save it in UTF-8"
			return nil, problem
		}
	}
	format := formatOf(path)
	values := map[string]any{}
	if err := decoder(format).Decode(text, values); err != nil {
		problem.Fault, problem.Mend = "has a mistake", mends[format]
		if line := mistakenLine(err, text); line > 0 {
			problem.Fault += " in or near line " + strconv.Itoa(line)
		}
		return nil, problem
	}
	return values, nil
}

// decoder is viper's, except for dotenv.
func decoder(format string) viper.Decoder {
	if d, err := viper.NewCodecRegistry().Decoder(format); err == nil && format != "dotenv" {
		return d
	}
	return dotenv{}
}

// mistakenLine tells the number of the line that an error is about; 0 = unknown.
func mistakenLine(err error, text []byte) int {
	var inDotenv lineError
	var inTOML interface{ Position() (row, column int) }
	var inJSON *json.SyntaxError
	switch {
	case errors.As(err, &inDotenv):
		return int(inDotenv)
	case errors.As(err, &inTOML):
		row, _ := inTOML.Position()
		return row
	case errors.As(err, &inJSON):
		return 1 + bytes.Count(text[:min(int(inJSON.Offset), len(text))], []byte("\n"))
	}
	if m := yamlMistake.FindStringSubmatch(err.Error()); m != nil {
		line, _ := strconv.Atoi(m[1]) // 0 if it is too great
		return line
	}
	return 0
}
