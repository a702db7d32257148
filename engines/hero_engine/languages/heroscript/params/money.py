"""Parses and converts amounts of money: a number and a currency code. Pure; the caller supplies the exchange rates.

Source: HeroScript specification, section 9, Currency [Q40]; ISO 4217 for the codes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from hero_engine.languages.heroscript.text.diagnostic import shorten
from hero_engine.languages.heroscript.text.numbers import parse_float

_ISO_4217 = """
AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BTN BWP BYN BZD CAD
CDF CHF CLP CNY COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ
GYD HKD HNL HRK HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP
LKR LRD LSL LYD MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB
PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL
THB TJS TMT TND TOP TRY TTD TWD TZS UAH UGX USD UYU UZS VES VND VUV WST XAF XAG XAU XCD XOF XPF YER ZAR
ZMW ZWL
"""
_TOKENS = "TFT BTC ETH XLM XRP SOL DOT ADA BNB DAI USDC USDT EURC"
KNOWN_CURRENCIES = frozenset(_ISO_4217.split()) | frozenset(_TOKENS.split())

_SIGNS = {"$": "USD", "£": "GBP", "€": "EUR"}
_MULTIPLIERS = {"K": 1e3, "M": 1e6}
_AMOUNT = re.compile(r"([^0-9.]*+)([0-9.]++(?:E[+-]?[0-9]++)?+)([^0-9.]*+)")


class Amount(NamedTuple):
    """An amount of money in one currency."""

    value: float
    code: str

    def to(self, code: str, rates: Mapping[str, float]) -> Amount:
        """Convert to another currency.

        Args:
            code: The wanted currency.
            rates: The value of one unit of each currency, all measured in the same unit.

        Raises:
            KeyError: A rate is missing.
        """
        return self if code == self.code else Amount(self.value * rates[self.code] / rates[code], code)


def parse_amount(text: str) -> Amount:
    """Parse an amount such as `100USD`, `10.5 eur`, `$20`, `AED 10`, `5k` or `2MEUR`.

    Args:
        text: Number and code in either order; without a code it is USD.

    Raises:
        ValueError: There is no number, or the code is unknown.
    """
    plain = text.upper()
    for drop in "_, ":
        plain = plain.replace(drop, "")
    for sign, name in _SIGNS.items():
        plain = plain.replace(sign, name)
    found = _AMOUNT.fullmatch(plain)
    if not found:
        raise ValueError(f"not an amount of money: {shorten(text)}")
    # A code in front of the number is checked first, so that the sign of -5USD is an unknown code, as in the reference.
    factor, code = _read_code(found[1] or found[3])
    if found[1] and found[3]:
        raise ValueError(f"not an amount of money: {shorten(text)}")
    return Amount(parse_float(found[2]) * factor, code)


def _read_code(code: str) -> tuple[float, str]:
    if not code:
        return 1.0, "USD"
    if code == "%":
        return 0.01, "USD"
    if code in KNOWN_CURRENCIES:
        return 1.0, code
    if len(code) in (1, 4):
        factor = _MULTIPLIERS.get(code[0])
        if factor is None:
            letters = "letter" if len(code) == 1 else "letters"
            raise ValueError(
                f"found currency code with {len(code)} {letters} but did not start with k or m (killo or million): "
                f"{code}"
            )
        rest = code[1:] or "USD"
        if rest in KNOWN_CURRENCIES:
            return factor, rest
        code = rest
    raise ValueError(f"Could not find currency {shorten(code)}")
