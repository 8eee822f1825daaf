from setuptools import Extension, setup

setup(ext_modules=[Extension("fastsum._fast", ["fastsum/_fast.c"])])
