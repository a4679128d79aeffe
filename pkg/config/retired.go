package config

import "strings"

// cloudinaryURL is read by Cloudinary's SDK for Node.
const cloudinaryURL = "CLOUDINARY_URL"

// retired are variables of the Node backend, or of its template, that nothing
// here takes the place of.
var retired = []string{
	"CLUSTER_WORKER_ID", "DB_PING_TIMEOUT_MS", "ENABLE_CONSOLE_LOGGING", "ENABLE_FILE_LOGGING", "ENABLE_PERFORMANCE_LOGGING",
	"FIREBASE_AUTH_URI", "FIREBASE_CLIENT_ID", "HEALTH_CHECK_INTERVAL_MS", "HELMET_CSP_ENABLED", "LB_HEALTH_CHECK_PATH",
	"LB_MAX_CONNECTIONS", "LB_TIMEOUT_MS", "LOG_FILE_PATH", "REDIS_MAX_RETRIES", "REDIS_RETRY_DELAY_MS", "SESSION_SECRET", "WORKER_ID",
}

// withoutEffect are the variables that warnOfRetired tells of.
var withoutEffect = func() map[string]bool {
	out := map[string]bool{cloudinaryURL: true}
	for _, name := range retired {
		out[name] = true
	}
	return out
}()

// warnOfRetired names what is set in vain, so that nobody relies on it.
func (s sources) warnOfRetired(warn func(format string, args ...any)) {
	if s.layers.IsSet(cloudinaryURL) {
		warn("%s has no effect here: set CLOUDINARY_CLOUD_NAME, CLOUDINARY_API_KEY and CLOUDINARY_API_SECRET to its parts", cloudinaryURL)
	}
	var found []string
	for _, name := range retired {
		if s.layers.IsSet(name) {
			found = append(found, name)
		}
	}
	if len(found) > 0 {
		warn("%s of the Node backend have no effect here: remove them", strings.Join(found, ", "))
	}
}
