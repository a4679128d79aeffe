package config_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/viper"

	"github.com/etrainer/backend/pkg/config"
)

// file writes a file of settings, and returns its path.
func file(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// same are the same settings in each format.
var same = map[string]string{
	"etrainer.env": "PORT=1\nWORKERS=2\nRATIO=0.25\nDEBUG=true\nGRACE=1m\nORIGINS=http://x, http://y\nWAITS=1s,2s\n" +
		"EVERY='10 seconds'\nJWT_SECRET='007 a$b #c'\nMONGODB_URI=\n",
	"etrainer.yaml": "PORT: 1\nWORKERS: 2\nRATIO: 0.25\nDEBUG: true\nGRACE: 1m\nORIGINS: [http://x, ' http://y ', '']\nWAITS:\n  - 1s\n  - 2s\n" +
		"EVERY: 10 seconds\nJWT_SECRET: '007 a$b #c'\nMONGODB_URI:\n",
	"etrainer.YML": "PORT: '1'\nWORKERS: 2\nRATIO: 0.25\nDEBUG: 'true'\nGRACE: 1m\nORIGINS: http://x, http://y\nWAITS: 1s,2s\n" +
		"EVERY: 10 seconds\nJWT_SECRET: '007 a$b #c'\n",
	"etrainer.toml": "PORT = 1\nWORKERS = 2\nRATIO = 0.25\nDEBUG = true\nGRACE = \"1m\"\nORIGINS = [\"http://x\", \"http://y\"]\nWAITS = [\"1s\", \"2s\"]\n" +
		"EVERY = \"10 seconds\"\nJWT_SECRET = '007 a$b #c'\nMONGODB_URI = ''\n",
	"etrainer.json": `{"PORT": 1, "WORKERS": 2, "RATIO": 0.25, "DEBUG": true, "GRACE": "1m", "ORIGINS": ["http://x", "http://y"], "WAITS": ["1s", "2s"],
		"EVERY": "10 seconds", "JWT_SECRET": "007 a$b #c", "MONGODB_URI": null}`,
}

// TestFormats reads the same of each format, with an old name in it, and with
// the mark that editors of Windows write.
func TestFormats(t *testing.T) {
	t.Parallel()
	want := settings{
		Port: 1, Workers: 2, Ratio: 0.25, Debug: true, Grace: time.Minute, Origins: []string{"http://x", "http://y"},
		Waits: []time.Duration{time.Second, 2 * time.Second}, Every: interval{"10 seconds"}, Signing: "007 a$b #c",
	}
	for name, text := range same {
		for kind, mark := range map[string]string{"": "", ", with a mark": "\xef\xbb\xbf"} {
			t.Run(name+kind, func(t *testing.T) {
				t.Parallel()
				for _, ends := range []string{"\n", "\r\n"} {
					var got settings
					var warnings []string
					path := file(t, name, mark+strings.ReplaceAll(text, "\n", ends))
					if err := config.Load(&got, config.Options{Environment: variables{}, File: path, Warnings: &warnings}); err != nil {
						t.Fatalf("Load: %v", err)
					}
					if diff := cmp.Diff(want, got, cmp.AllowUnexported(settings{})); diff != "" {
						t.Errorf("settings (-want +got):\n%s", diff)
					}
					if diff := cmp.Diff([]string{"JWT_SECRET is the old name of JWT_SECRET_KEY: it works, but rename it"}, warnings); diff != "" {
						t.Errorf("warnings (-want +got):\n%s", diff)
					}
				}
			})
		}
	}
	if keys := viper.AllKeys(); len(keys) > 0 {
		t.Errorf("the viper of all packages holds %v", keys)
	}
}

// TestDotenv reads what can be written in a dotenv file. Variables of the process
// stay out of it.
func TestDotenv(t *testing.T) {
	t.Setenv("HOME", "/home/of/the/process")
	for line, want := range map[string]string{
		"JWT_SECRET_KEY=a#b":                  "a#b",
		"JWT_SECRET_KEY=a # b":                "a",
		"JWT_SECRET_KEY = a b":                "a b",
		"JWT_SECRET_KEY: a":                   "a",
		"export JWT_SECRET_KEY=a":             "a",
		"JWT_SECRET_KEY=a\nJWT_SECRET_KEY=b":  "b",
		"JWT_SECRET_KEY='a\nb' # c":           "a\nb",
		`JWT_SECRET_KEY='a\nb'`:               `a\nb`,
		`JWT_SECRET_KEY="a\nb\tc\"d\r"`:       "a\nbtc\"d\r",
		`JWT_SECRET_KEY='$HOME ${HOME}'`:      "$HOME ${HOME}",
		"JWT_SECRET_KEY=a$HOME.":              "a.",
		"X=1\nJWT_SECRET_KEY=${X}$X$x":        "11$x",
		"X=1\nJWT_SECRET_KEY=\"\\$X\\${X}$\"": "$X${X}$",
	} {
		got, err := load(t, variables{"CONFIG_FILE": file(t, ".env.production", line)})
		if err != nil || got.Signing.Reveal() != want {
			t.Errorf("%s: secret %q, %v; want %q", line, got.Signing.Reveal(), err, want)
		}
	}
}

// TestPrecedence: the environment comes before the file, which comes before the
// default; a name before an old one; and what is empty is not there.
func TestPrecedence(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		environment, file, want string
	}{
		"default":                  {"", "", "5"},
		"file":                     {"", "NEW: 2", "2"},
		"environment":              {"NEW=1", "NEW: 2", "1"},
		"empty variable":           {"NEW=", "NEW: 2", "2"},
		"blank variable":           {"NEW= ", "NEW: 2", "2"},
		"empty in the file":        {"", "NEW: ''", "5"},
		"null in the file":         {"", "NEW:", "5"},
		"old name":                 {"OLD=3", "", "3"},
		"old name in the file":     {"", "OLD: 4", "4"},
		"old name in both":         {"OLD=3", "OLD: 4", "3"},
		"file before an old name":  {"OLD=3", "NEW: 2", "2"},
		"empty before an old name": {"OLD=3", "NEW: ''", "3"},
		"zero is no absence":       {"", "NEW: 0", "0"},
		"another case in the file": {"", "new: 2", "5"},
		"both cases in the file":   {"", "new: 1\nNEW: 2\nNew: 3", "2"},
		"another case around it":   {"new=1", "", "5"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got struct {
				Value int `env:"NEW" envAlias:"OLD" envDefault:"5"`
			}
			environment := variables{"CONFIG_FILE": file(t, "a.yaml", test.file)}
			if name, value, ok := strings.Cut(test.environment, "="); ok {
				environment[name] = value
			}
			err := config.Load(&got, config.Options{Environment: environment})
			if err != nil || config.Describe(&got)[0].Value != test.want {
				t.Errorf("value %d, %v; want %s", got.Value, err, test.want)
			}
		})
	}
}

// TestWrongTypesInAFile are told without the values, and stand beside the other
// mistakes.
func TestWrongTypesInAFile(t *testing.T) {
	t.Parallel()
	const secret = "\nJWT_SECRET_KEY: hunter2"
	for name, test := range map[string]struct {
		file, text string
		want       string
	}{
		"number for a secret": {"a.yaml", "JWT_SECRET_KEY: 0123", "JWT_SECRET_KEY is a number in PATH, where text belongs: put quotes around it"},
		"old name":            {"a.yaml", "JWT_SECRET: 1e3", "JWT_SECRET_KEY is a number in PATH, where text belongs: put quotes around it"},
		"date for text":       {"a.yaml", "MONGODB_URI: 2026-01-02" + secret, "MONGODB_URI is a date in PATH, where text belongs: put quotes around it"},
		"date of TOML":        {"a.toml", "JWT_SECRET_KEY = 2026-01-02", "JWT_SECRET_KEY is a date in PATH, where text belongs: put quotes around it"},
		"truth for text":      {"a.yaml", "MONGODB_URI: true" + secret, "MONGODB_URI is a truth value in PATH, where text belongs: put quotes around it"},
		"list for text":       {"a.yaml", "MONGODB_URI: [hunter2]" + secret, "MONGODB_URI is a list in PATH, where one value belongs: write one value"},
		"list for a number":   {"a.json", `{"PORT": [1], "JWT_SECRET_KEY": "hunter2"}`, "PORT is a list in PATH, where one value belongs: write one value"},
		"group for text":      {"a.yaml", "MONGODB_URI: {hunter2: hunter2}" + secret, "MONGODB_URI is a group of names in PATH, where a value belongs: write each variable as a name of its own, as in the environment"},
		"group for a list":    {"a.yaml", "ORIGINS: {hunter2: hunter2}" + secret, "ORIGINS is a group of names in PATH, where a value belongs: write each variable as a name of its own, as in the environment"},
		"number in a list":    {"a.yaml", "ORIGINS: [a, 1]" + secret, "ORIGINS is a number in PATH, where text belongs: put quotes around it"},
		"list in a list":      {"a.yaml", "ORIGINS: [[hunter2]]" + secret, "ORIGINS is a list in PATH, where one value belongs: write one value"},
		"text for a number":   {"a.yaml", "PORT: http" + secret, `PORT is "http", which is not a whole number: set it to a number such as 8080`},
		"part of a number":    {"a.yaml", "PORT: 80.5" + secret, `PORT is "80.5", which is not a whole number: set it to a number such as 8080`},
		"great number":        {"a.json", `{"WORKERS": 256, "JWT_SECRET_KEY": "hunter2"}`, `WORKERS is "256", which is too large or too small: set it to a number such as 4`},
		"number for a time":   {"a.toml", "GRACE = 30\nJWT_SECRET_KEY = 'hunter2'", `GRACE is "30", which is not a duration: write a number with a unit, such as 30s (units: ms, s, m, h)`},
		"number for truth":    {"a.yaml", "DEBUG: 2" + secret, `DEBUG is "2", which is neither true nor false: set it to true or false`},
		"list with a mistake": {"a.yaml", "WAITS: [1s, soon]" + secret, `WAITS is "1s,soon", which is not a duration: write a number with a unit, such as 30s (units: ms, s, m, h)`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := file(t, test.file, test.text)
			got, err := load(t, variables{"CONFIG_FILE": path, "RATIO": "half"})
			if !errors.Is(err, config.ErrConfig) {
				t.Fatalf("error = %v, want ErrConfig", err)
			}
			if want := "  - " + strings.ReplaceAll(test.want, "PATH", path); !strings.Contains(err.Error()+"\n", want+"\n") || !strings.Contains(err.Error(), "RATIO is") {
				t.Errorf("error = %v\nwant %s", err, want)
			}
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the error quotes the file: %v", err)
			}
			if got.Port != 8080 || got.Workers != 4 || got.Grace != 30*time.Second {
				t.Errorf("%+v lacks defaults", got)
			}
		})
	}
}

// TestUnreadableFiles are told with their path, line and mend.
func TestUnreadableFiles(t *testing.T) {
	t.Parallel()
	const (
		dotenv = "write each line as NAME=value, with 'single quotes' around a value that holds spaces, # or $"
		yaml   = "write each line as NAME: value, with 'single quotes' around text"
	)
	for name, test := range map[string]struct {
		file, text string
		want       string
	}{
		"no sign":             {"a.env", "# c\nPORT=1\n\nhunter2\n", "has a mistake in or near line 4: " + dotenv},
		"open quote":          {"a.env", "PORT=1\nMONGODB_URI='hunter2\nX=1\n", "has a mistake in or near line 2: " + dotenv},
		"no sign at the end":  {"a.conf", "PORT=1\nhunter2", "has a mistake in or near line 2: " + dotenv},
		"indentation":         {"a.yaml", "PORT: 1\n  MONGODB_URI: hunter2\n", "has a mistake in or near line 2: " + yaml},
		"name given twice":    {"a.yaml", "PORT: 1\nDEBUG: true\nPORT: 2\n", "has a mistake in or near line 3: " + yaml},
		"text alone":          {"a.yaml", "hunter2", "has a mistake in or near line 1: " + yaml},
		"list alone":          {"a.yaml", "- hunter2", "has a mistake in or near line 1: " + yaml},
		"no quotes":           {"a.toml", "PORT = 1\nMONGODB_URI = hunter2\n", `has a mistake in or near line 2: write each line as NAME = "value"`},
		"TOML's name twice":   {"a.toml", "PORT = 1\nPORT = 2\n", `has a mistake`},
		"comma at the end":    {"a.json", "{\n\"MONGODB_URI\": \"hunter2\",\n}", `has a mistake in or near line 3: write it as {"NAME": "value"}, with commas between and none at the end`},
		"JSON's list":         {"a.json", `["hunter2"]`, "has a mistake: write it as"},
		"nothing of JSON":     {"a.json", "", "has a mistake in or near line 1: "},
		"UTF-16":              {"a.env", "\xff\xfeP\x00O\x00R\x00T\x00", "is a file in UTF-16: save it in UTF-8"},
		"UTF-16, other order": {"a.yaml", "\xfe\xff\x00P", "is a file in UTF-16: save it in UTF-8"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := file(t, test.file, test.text)
			_, err := load(t, variables{"CONFIG_FILE": path, "PORT": "x", "JWT_SECRET_KEY": "x"})
			want := `CONFIG_FILE is "` + path + `", which ` + test.want
			if !errors.Is(err, config.ErrConfig) || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "PORT is") {
				t.Errorf("error = %v\nwant %s", err, want)
			}
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the error quotes the file: %v", err)
			}
		})
	}
	t.Run("folder", func(t *testing.T) {
		t.Parallel()
		if _, err := load(t, variables{"CONFIG_FILE": t.TempDir(), "JWT_SECRET_KEY": "x"}); err == nil || !strings.Contains(err.Error(), "which cannot be read") {
			t.Errorf("error = %v", err)
		}
	})
}

// FuzzFile: no file makes Load panic, and what it says never holds a secret that
// the file gives to a name that is known.
func FuzzFile(f *testing.F) {
	for name, text := range same {
		f.Add(name, []byte(text))
	}
	for _, text := range []string{"PORT: &a [*a]", "a: {b: 1}", "? [1]\n: 2", "PORT='\"", "--- 1\n--- 2", "<<: 1", "PORT=${PORT}$(PORT", "[PORT]\na=1", `{"PORT":{"a":[1e999]}}`} {
		for _, name := range []string{"a.env", "a.yaml", "a.toml", "a.json"} {
			f.Add(name, []byte(text))
		}
	}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, name string, text []byte) {
		path := filepath.Join(dir, "fuzz"+filepath.Ext(filepath.Base(name)))
		if strings.ContainsRune(path, 0) || os.WriteFile(path, text, 0o600) != nil {
			t.Skip("no name of a file")
		}
		var got settings
		var warnings []string
		err := config.Load(&got, config.Options{Environment: variables{}, File: path, Warnings: &warnings})
		if err != nil && !errors.Is(err, config.ErrConfig) {
			t.Errorf("%v is no mistake of the struct", err)
		}
		if secret := got.Signing.Reveal(); len(secret) > 12 && err != nil && strings.Contains(err.Error(), secret) {
			t.Errorf("%v shows %q", err, secret)
		}
		if err == nil && got.Signing == "" {
			t.Error("the required secret is missing, and nothing says so")
		}
	})
}
