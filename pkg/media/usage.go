package media

import (
	"math"
	"time"
)

// Usage is what is used of a store. Its JSON is what the api answers.
type Usage struct {
	Store     string  `json:"store"` // local or cloudinary
	Plan      *string `json:"plan"`  // null = there is none
	Storage   Measure `json:"storage"`
	Bandwidth Measure `json:"bandwidth"`
	// Requests, Transformations and Objects are counts; null = not counted.
	Requests        *int64 `json:"requests"`
	Transformations *int64 `json:"transformations"`
	Objects         *int64 `json:"objects"`
	// Credits are what newer Cloudinary plans limit; null = no such limit.
	Credits *Credits `json:"credits"`
}

// Measure is an amount in bytes. Limit and Percentage are null when nothing
// limits it by itself; Used is null when nobody counts.
type Measure struct {
	Used       *int64   `json:"used"`
	Limit      *int64   `json:"limit"`
	Percentage *float64 `json:"percentage"`
}

// Credits are Cloudinary's.
type Credits struct {
	Used       float64 `json:"used"`
	Limit      float64 `json:"limit"`
	Percentage float64 `json:"percentage"`
}

// RateLimit is what an api allows within a window.
type RateLimit struct {
	Allowed, Remaining int
	ResetAt            time.Time
}

// Percentage is part of whole in percent, with two decimals; 0 when there is
// no whole.
func Percentage(part, whole float64) float64 {
	if whole <= 0 {
		return 0
	}
	return math.Round(part/whole*10000) / 100
}
