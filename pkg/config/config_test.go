package config_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/etrainer/backend/pkg/config"
)

// settings has a field of each sort.
type settings struct {
	Port     int             `env:"PORT" envDefault:"8080" help:"port of the public listener"`
	Workers  uint8           `env:"WORKERS" envDefault:"4"`
	Ratio    float64         `env:"RATIO"`
	Debug    bool            `env:"DEBUG"`
	Grace    time.Duration   `env:"GRACE" envDefault:"30s"`
	Origins  []string        `env:"ORIGINS" envDefault:"http://a,http://b"`
	Waits    []time.Duration `env:"WAITS"`
	Every    interval        `env:"EVERY"`
	Signing  config.Secret   `env:"JWT_SECRET_KEY,required" envAlias:"JWT_SECRET, OLD_SECRET" help:"signs access tokens"`
	Database struct {
		URI      string         `env:"URI"`
		Password string         `env:"PASSWORD"`
		Zone     *time.Location `env:"ZONE"`
	} `envPrefix:"MONGODB_"`
	unexported int //nolint:unused // must be left alone
}

// interval is a type that reads its text itself.
type interval struct{ Text string }

func (i *interval) UnmarshalText(text []byte) error {
	if strings.Contains(string(text), "never") {
		return errors.New("write an interval, such as 10 seconds")
	}
	i.Text = string(text)
	return nil
}

func (i interval) MarshalText() ([]byte, error) { return []byte(i.Text), nil }

// variables is a made-up environment.
type variables map[string]string

func load(t *testing.T, v variables) (settings, error) {
	t.Helper()
	var s settings
	err := config.Load(&s, config.Options{Environment: v})
	return s, err
}

func TestLoadDefaults(t *testing.T) {
	t.Parallel()
	got, err := load(t, variables{"JWT_SECRET_KEY": "s3cret", "DEBUG": "", "PORT": " "})
	if err != nil {
		t.Fatalf("Load: %v", err)
	}
	want := settings{Port: 8080, Workers: 4, Grace: 30 * time.Second, Origins: []string{"http://a", "http://b"}, Signing: "s3cret"}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(settings{})); diff != "" {
		t.Errorf("settings (-want +got):\n%s", diff)
	}
}

func TestLoadReadsEachSort(t *testing.T) {
	t.Parallel()
	got, err := load(t, variables{
		"PORT": " 1 ", "WORKERS": "255", "RATIO": "0.25", "DEBUG": "true", "GRACE": "1m", "ORIGINS": " x , ,y",
		"WAITS": "1s,2s", "EVERY": "10 seconds", "JWT_SECRET_KEY": " kept as it is ",
		"MONGODB_URI": "mongodb://h/db", "MONGODB_ZONE": "Asia/Ho_Chi_Minh",
	})
	if err != nil {
		t.Fatalf("Load: %v", err)
	}
	if got.Database.Zone.String() != "Asia/Ho_Chi_Minh" {
		t.Errorf("zone = %v", got.Database.Zone)
	}
	got.Database.Zone = nil
	want := settings{
		Port: 1, Workers: 255, Ratio: 0.25, Debug: true, Grace: time.Minute, Origins: []string{"x", "y"},
		Waits: []time.Duration{time.Second, 2 * time.Second}, Every: interval{"10 seconds"}, Signing: " kept as it is ",
	}
	want.Database.URI = "mongodb://h/db"
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(settings{})); diff != "" {
		t.Errorf("settings (-want +got):\n%s", diff)
	}
}

func TestLoadReportsEverythingAtOnce(t *testing.T) {
	t.Parallel()
	_, err := load(t, variables{
		"PORT": "http", "WORKERS": "256", "RATIO": "half", "DEBUG": "yes", "GRACE": "30", "WAITS": "1s,soon",
		"EVERY": "never", "MONGODB_ZONE": "Mars/Olympus",
	})
	if !errors.Is(err, config.ErrConfig) {
		t.Fatalf("error = %v, want ErrConfig", err)
	}
	want := `the configuration is not valid:
  - PORT is "http", which is not a whole number: set it to a number such as 8080
  - WORKERS is "256", which is too large or too small: set it to a number such as 4
  - RATIO is "half", which is not a number: set it to a number such as 0.5
  - DEBUG is "yes", which is neither true nor false: set it to true or false
  - GRACE is "30", which is not a duration: write a number with a unit, such as 30s (units: ms, s, m, h)
  - WAITS is "1s,soon", which is not a duration: write a number with a unit, such as 30s (units: ms, s, m, h)
  - EVERY is "never", which cannot be used: write an interval, such as 10 seconds
  - JWT_SECRET_KEY is not set: set it (signs access tokens)
  - MONGODB_ZONE is "Mars/Olympus", which cannot be used: unable to parse location: unknown time zone Mars/Olympus`
	if diff := cmp.Diff(want, err.Error()); diff != "" {
		t.Errorf("report (-want +got):\n%s", diff)
	}
}

// TestNumbersAreInBaseTen, whatever they begin with.
func TestNumbersAreInBaseTen(t *testing.T) {
	t.Parallel()
	got, err := load(t, variables{"PORT": "010", "WORKERS": "010", "JWT_SECRET_KEY": "x"})
	if err != nil || got.Port != 10 || got.Workers != 10 {
		t.Errorf("port %d, workers %d, %v", got.Port, got.Workers, err)
	}
	for _, text := range []string{"0x10", "1_000", "0b1", "1e3"} {
		if _, err := load(t, variables{"PORT": text, "JWT_SECRET_KEY": "x"}); !errors.Is(err, config.ErrConfig) {
			t.Errorf("PORT=%s is read: %v", text, err)
		}
	}
}

// validated checks what tags cannot say.
type validated struct {
	Min    int           `env:"MIN" envDefault:"1"`
	Max    int           `env:"MAX" envDefault:"9"`
	Secret config.Secret `env:"SECRET,required"`
}

func (v *validated) Validate() error {
	var problems []error
	if v.Min > v.Max {
		problems = append(problems, config.Problem{Variable: "MIN", Value: strconv.Itoa(v.Min), Fault: "is over MAX", Mend: "lower it"})
	}
	if len(v.Secret) < 8 {
		problems = append(problems, config.Problem{Variable: "SECRET", Fault: "is shorter than 8 characters"})
	}
	return errors.Join(problems...)
}

func TestLoadValidates(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		variables variables
		want      []string
	}{
		"valid": {variables: variables{"SECRET": "12345678"}},
		"what Validate finds": {
			variables: variables{"MIN": "10", "SECRET": "1"},
			want:      []string{`MIN is "10", which is over MAX: lower it`, "SECRET is shorter than 8 characters"},
		},
		"an unreadable value is its default to Validate": {
			variables: variables{"MIN": "x", "SECRET": "12345678"},
			want:      []string{`MIN is "x", which is not a whole number: set it to a number such as 1`},
		},
		"nothing is reported twice": {
			variables: variables{"MAX": "0"},
			want:      []string{"SECRET is not set: set it", `MIN is "1", which is over MAX: lower it`},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := config.Load(new(validated), config.Options{Environment: test.variables})
			var got []string
			if err != nil {
				for line := range strings.Lines(err.Error()) {
					if problem, ok := strings.CutPrefix(line, "  - "); ok {
						got = append(got, strings.TrimSuffix(problem, "\n"))
					}
				}
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
			if p, ok := errors.AsType[config.Problem](err); len(test.want) > 0 && (!ok || p.Variable == "") {
				t.Errorf("no Problem in the chain of %v", err)
			}
		})
	}
}

func TestOldNames(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		variables variables
		want      config.Secret
		warnings  []string
	}{
		"own name": {variables: variables{"JWT_SECRET_KEY": "new"}, want: "new"},
		"old name": {
			variables: variables{"JWT_SECRET": "old"}, want: "old",
			warnings: []string{"JWT_SECRET is the old name of JWT_SECRET_KEY: it works, but rename it"},
		},
		"second old name": {
			variables: variables{"OLD_SECRET": "older"}, want: "older",
			warnings: []string{"OLD_SECRET is the old name of JWT_SECRET_KEY: it works, but rename it"},
		},
		"own name first": {
			variables: variables{"JWT_SECRET_KEY": "new", "JWT_SECRET": "old"}, want: "new",
			warnings: []string{"JWT_SECRET_KEY is set beside JWT_SECRET, which is its old name: JWT_SECRET_KEY counts; remove JWT_SECRET"},
		},
		"names without effect": {
			variables: variables{"JWT_SECRET_KEY": "new", "SESSION_SECRET": "x", "CLOUDINARY_URL": "cloudinary://k:s@c", "LB_TIMEOUT_MS": "1", "REDIS_MAX_RETRIES": ""},
			want:      "new",
			warnings: []string{
				"CLOUDINARY_URL has no effect here: set CLOUDINARY_CLOUD_NAME, CLOUDINARY_API_KEY and CLOUDINARY_API_SECRET to its parts",
				"LB_TIMEOUT_MS, SESSION_SECRET of the Node backend have no effect here: remove them",
			},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got settings
			var warnings []string
			if err := config.Load(&got, config.Options{Environment: test.variables, Warnings: &warnings}); err != nil {
				t.Fatalf("Load: %v", err)
			}
			if got.Signing != test.want {
				t.Errorf("secret = %q, want %q", got.Signing.Reveal(), test.want.Reveal())
			}
			if diff := cmp.Diff(test.warnings, warnings); diff != "" {
				t.Errorf("warnings (-want +got):\n%s", diff)
			}
		})
	}
}

func TestFile(t *testing.T) {
	t.Parallel()
	write := func(t *testing.T, text string) string {
		t.Helper()
		name := filepath.Join(t.TempDir(), "etrainer.env")
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return name
	}
	t.Run("environment wins", func(t *testing.T) {
		t.Parallel()
		name := write(t, "# comment\nPORT=1\nWORKERS=2\nJWT_SECRET='a$b #c'\n")
		got, err := load(t, variables{"CONFIG_FILE": name, "PORT": "3"})
		if err != nil {
			t.Fatalf("Load: %v", err)
		}
		if got.Port != 3 || got.Workers != 2 || got.Signing != "a$b #c" {
			t.Errorf("port %d, workers %d, secret %q", got.Port, got.Workers, got.Signing.Reveal())
		}
	})
	t.Run("own name in the file before an old one", func(t *testing.T) {
		t.Parallel()
		name := write(t, "JWT_SECRET_KEY=new\n")
		if got, err := load(t, variables{"CONFIG_FILE": name, "JWT_SECRET": "old"}); err != nil || got.Signing != "new" {
			t.Errorf("secret %q, error %v", got.Signing.Reveal(), err)
		}
	})
	t.Run("option before CONFIG_FILE", func(t *testing.T) {
		t.Parallel()
		name := write(t, "PORT=1\nJWT_SECRET_KEY=x\n")
		var got settings
		err := config.Load(&got, config.Options{Environment: variables{"CONFIG_FILE": "/does/not/exist"}, File: name})
		if err != nil || got.Port != 1 {
			t.Errorf("port %d, error %v", got.Port, err)
		}
	})
	t.Run("missing", func(t *testing.T) {
		t.Parallel()
		_, err := load(t, variables{"CONFIG_FILE": "/does/not/exist", "PORT": "x", "JWT_SECRET": "x"})
		if !errors.Is(err, config.ErrConfig) || !strings.Contains(err.Error(), `CONFIG_FILE is "/does/not/exist", which cannot be read`) {
			t.Errorf("error = %v", err)
		}
		if !strings.Contains(err.Error(), "PORT is") {
			t.Errorf("the other problem is not reported: %v", err)
		}
	})
	t.Run("mistake", func(t *testing.T) {
		t.Parallel()
		name := write(t, "PORT=1\nWORKERS=2\nJWT-SECRET hunter2!\n")
		_, err := load(t, variables{"CONFIG_FILE": name, "JWT_SECRET": "x"})
		if !errors.Is(err, config.ErrConfig) || !strings.Contains(fmt.Sprint(err), "line 3") {
			t.Errorf("error = %v, want ErrConfig with the line", err)
		}
		if strings.Contains(fmt.Sprint(err), "hunter2") {
			t.Errorf("the error quotes the file: %v", err)
		}
	})
}

func TestMistakesInTheStruct(t *testing.T) {
	t.Parallel()
	targets := map[string]any{
		"no pointer": settings{},
		"nil":        (*settings)(nil),
		"no struct":  new(int),
		"bad type": &struct {
			C chan int `env:"C" envDefault:"x"`
		}{},
		"map": &struct {
			M map[string]string `env:"M"`
		}{},
		"bad default": &struct {
			N int `env:"N" envDefault:"x"`
		}{},
		"bad option": &struct {
			N int `env:"N,always"`
		}{},
	}
	for name, target := range targets {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := config.Load(target, config.Options{Environment: variables{}})
			if err == nil || errors.Is(err, config.ErrConfig) {
				t.Errorf("error = %v, want one that is not ErrConfig", err)
			}
		})
	}
}

func TestDescribe(t *testing.T) {
	t.Parallel()
	s, err := load(t, variables{
		"JWT_SECRET_KEY": "hunter2", "MONGODB_URI": "mongodb://u:hunter2@h/db", "MONGODB_PASSWORD": "hunter2",
		"WAITS": "1s,2s", "EVERY": "10 seconds", "MONGODB_ZONE": "UTC",
	})
	if err != nil {
		t.Fatalf("Load: %v", err)
	}
	want := []config.Entry{
		{Name: "PORT", Value: "8080", Default: "8080", Help: "port of the public listener"},
		{Name: "WORKERS", Value: "4", Default: "4"},
		{Name: "RATIO", Value: "0"},
		{Name: "DEBUG", Value: "false"},
		{Name: "GRACE", Value: "30s", Default: "30s", Unit: "ms, s, m or h"},
		{Name: "ORIGINS", Value: "http://a,http://b", Default: "http://a,http://b"},
		{Name: "WAITS", Value: "1s,2s"},
		{Name: "EVERY", Value: "10 seconds"},
		{
			Name: "JWT_SECRET_KEY", Aliases: []string{"JWT_SECRET", "OLD_SECRET"}, Value: "[hidden]",
			Help: "signs access tokens", Required: true, Secret: true,
		},
		{Name: "MONGODB_URI", Value: "mongodb://[hidden]@h/db"},
		{Name: "MONGODB_PASSWORD", Value: "[hidden]", Secret: true},
		{Name: "MONGODB_ZONE", Value: "UTC"},
	}
	got := config.Describe(&s)
	for i := range got {
		if len(got[i].Aliases) == 0 {
			got[i].Aliases = nil
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("entries (-want +got):\n%s", diff)
	}
	for _, entry := range config.Describe(new(settings)) {
		if entry.Secret && entry.Value != "" {
			t.Errorf("%s is empty and shows as %q", entry.Name, entry.Value)
		}
	}
}
