"""Trading: strategies, backtests, paper and live orders.

from trading import Strategy, param
"""
