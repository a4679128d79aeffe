package config

import (
	"os"
	"strconv"
	"strings"

	"github.com/joho/godotenv"
)

// readFile reads a dotenv file. Its errors quote nothing of the file, which is
// likely to hold secrets.
func readFile(name string) (map[string]string, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, Problem{
			Variable: FileVariable, Value: name,
			Fault: "cannot be read", Mend: "name a file that exists and that this user may read, or unset it",
		}
	}
	values, err := godotenv.UnmarshalBytes(text)
	if err != nil {
		return nil, Problem{
			Variable: FileVariable, Value: name,
			Fault: "has a mistake in or after line " + strconv.Itoa(badLine(string(text))),
			Mend:  "write each line as NAME=value, with 'single quotes' around a value that holds spaces, # or $",
		}
	}
	return values, nil
}

// badLine returns the number of the line after the longest beginning of the
// file that can be read.
func badLine(text string) int {
	lines := strings.SplitAfter(text, "\n")
	for n := len(lines) - 1; n > 0; n-- {
		if _, err := godotenv.Unmarshal(strings.Join(lines[:n], "")); err == nil {
			return n + 1
		}
	}
	return 1
}
