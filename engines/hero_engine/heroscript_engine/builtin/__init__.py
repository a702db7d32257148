"""The built-in actions, with one module per family.

What an action prints goes to the job's log. Families that reach the machine, the network or the store are off until a
setting of the operator allows them.
"""
