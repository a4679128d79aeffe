package backupenv_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/etrainer/backend/pkg/config"
	"github.com/etrainer/backend/worker/internal/backup/backupenv"
)

func load(values map[string]string) (backupenv.Env, error) {
	var env backupenv.Env
	err := config.Load(&env, config.Options{Environment: values})
	return env, err
}

func TestMistakes(t *testing.T) {
	t.Parallel()
	const secret = "AGE-SECRET-KEY-1QQQQQQ"
	for title, test := range map[string]struct {
		values map[string]string
		want   string // "" = none
	}{
		"nothing":          {nil, ""},
		"a directory":      {map[string]string{"BACKUP_DIR": "/backups"}, ""},
		"a bucket":         {map[string]string{"BACKUP_S3_BUCKET": "b", "BACKUP_S3_ENDPOINT": "http://minio:9000"}, ""},
		"two places":       {map[string]string{"BACKUP_DIR": "/b", "BACKUP_S3_BUCKET": "b"}, "empty one of them"},
		"half a key":       {map[string]string{"BACKUP_S3_ACCESS_KEY": "a"}, "belong together"},
		"no address":       {map[string]string{"BACKUP_S3_ENDPOINT": "minio:9000"}, "BACKUP_S3_ENDPOINT is not the address of a service"},
		"a bucket in it":   {map[string]string{"BACKUP_S3_ENDPOINT": "https://minio/bucket"}, "without bucket and keys"},
		"nothing kept":     {map[string]string{"BACKUP_KEEP_DAILY": "0"}, "BACKUP_KEEP_DAILY"},
		"a negative time":  {map[string]string{"BACKUP_KEEP_ALL": "-1h"}, "BACKUP_KEEP_ALL"},
		"a negative count": {map[string]string{"BACKUP_KEEP_WEEKLY": "-1"}, "BACKUP_KEEP_WEEKLY"},
		"a private key":    {map[string]string{"BACKUP_AGE_RECIPIENTS": secret}, "recipient 1 is not the public key"},
	} {
		t.Run(title, func(t *testing.T) {
			t.Parallel()
			_, err := load(test.values)
			switch {
			case test.want == "" && err != nil:
				t.Errorf("refused: %v", err)
			case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)):
				t.Errorf("the error is %v; want one with %q", err, test.want)
			case err != nil && strings.Contains(err.Error(), secret):
				t.Errorf("the error shows the key: %v", err)
			}
		})
	}
}

func TestPlaces(t *testing.T) {
	t.Parallel()
	for title, test := range map[string]struct {
		values map[string]string
		want   string
	}{
		"directory": {map[string]string{"BACKUP_DIR": "/backups"}, "/backups/n"},
		"bucket":    {map[string]string{"BACKUP_S3_BUCKET": "b", "BACKUP_S3_PREFIX": "/p/q/"}, "s3://b/p/q/n"},
	} {
		t.Run(title, func(t *testing.T) {
			t.Parallel()
			env, err := load(test.values)
			if err != nil {
				t.Fatal(err)
			}
			store, err := env.Open()
			if err != nil || store.Location("n") != test.want {
				t.Errorf("%v at %s, want %s", err, store.Location("n"), test.want)
			}
		})
	}
	env, err := load(map[string]string{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := env.Open(); !errors.Is(err, backupenv.ErrNowhere) {
		t.Errorf("no place: %v", err)
	}
}
