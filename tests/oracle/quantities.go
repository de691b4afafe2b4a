package main

import (
	"math/big"

	"k8s.io/apimachinery/pkg/api/resource"
)

// number is one Quantity: exactly, in nano-units, and as Kubernetes rounds it to whole and to milli-units.
// The last two are what Value() and MilliValue() say, wrapped around where those wrap around.
type number struct {
	Canonical string `json:"canonical"`
	Nano      string `json:"nano"`
	Value     int64  `json:"value"`
	Milli     int64  `json:"milli"`
}

// enough bounds the digits of numbers written out: past it there is only "huge" or "tiny".
const enough = 400

func quantity(text string) any {
	parsed, err := resource.ParseQuantity(text)
	if err != nil {
		return failure{err.Error()}
	}
	return numberOf(parsed)
}

func numberOf(q resource.Quantity) number {
	value, milli := q.Value(), q.MilliValue()
	return number{Canonical: q.String(), Nano: nano(q), Value: value, Milli: milli}
}

func nano(q resource.Quantity) string {
	if q.IsZero() {
		return "0"
	}
	decimal := q.AsDec()
	exponent := 9 - int64(decimal.Scale())
	unscaled := decimal.UnscaledBig()
	power := new(big.Int)
	switch {
	case exponent+int64(len(unscaled.String())) > enough:
		return map[int]string{1: "huge", -1: "-huge"}[unscaled.Sign()]
	case exponent >= 0:
		power.Exp(big.NewInt(10), big.NewInt(exponent), nil)
		return power.Mul(power, unscaled).String()
	case exponent < -enough:
		return "tiny"
	}
	power.Exp(big.NewInt(10), big.NewInt(-exponent), nil)
	whole, rest := new(big.Int).QuoRem(unscaled, power, new(big.Int))
	if rest.Sign() != 0 {
		return "finer than nano"
	}
	return whole.String()
}
