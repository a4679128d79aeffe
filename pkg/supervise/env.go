package supervise

import (
	"errors"
	"runtime"
	"strconv"
)

// Env is how a program is told to supervise children; embed it in a config
// struct. The names are those of the Node backend.
type Env struct {
	Clustering bool  `env:"ENABLE_CLUSTERING" envDefault:"false" help:"whether to be the parent of WORKER_COUNT processes that share the port, and are replaced when they crash or hang; docs/operating.md tells whether you want it" example:"true"`
	Count      Count `env:"WORKER_COUNT" envDefault:"auto" help:"how many processes with ENABLE_CLUSTERING=true, up to 64; auto = one for each processor. Pools and limits of one process, such as MONGODB_MAX_POOL_SIZE, count in each of them" unit:"processes" example:"4"`
}

// MaxCount is the greatest Count.
const MaxCount = 64

// Count is how many children a parent has; 0 = auto.
type Count int

// Children returns the number; auto is one for each processor that this
// process may use, which counts the limit of a container.
func (c Count) Children() int {
	if c == 0 {
		return min(runtime.GOMAXPROCS(0), MaxCount)
	}
	return int(c)
}

// UnmarshalText reads a number from 1 to MaxCount, or "auto".
func (c *Count) UnmarshalText(text []byte) error {
	if string(text) == "auto" {
		*c = 0
		return nil
	}
	n, err := strconv.Atoi(string(text))
	if err != nil || n < 1 || n > MaxCount {
		return errors.New("write auto, or a number from 1 to " + strconv.Itoa(MaxCount))
	}
	*c = Count(n)
	return nil
}

// MarshalText writes what UnmarshalText reads.
func (c Count) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// String returns the number, or "auto".
func (c Count) String() string {
	if c == 0 {
		return "auto"
	}
	return strconv.Itoa(int(c))
}
